"""A context as the model looks at it: latents of its pixels, and where they may change."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..canvas.resample import resize
from ..diffusion import Components
from .latent_masks import pooled
from .room import Room
from .scene import Scene

__all__ = ["EncodedContext", "encode_context"]


@dataclass(frozen=True)
class EncodedContext:
    """What `Walk` takes by these names; None where the checkpoint or the job does without."""

    original: torch.Tensor | None
    coverage: torch.Tensor | None
    masked: torch.Tensor | None
    hole: torch.Tensor | None


def encode_context(
    components: Components,
    scene: Scene,
    start: np.ndarray | None,
    *,
    begins_from: bool,
    room: Room,
    check: Callable[[], None],
) -> EncodedContext:
    """Encodes `start` (h, w, 3) at the model's size; None: there is nothing to look at.

    `begins_from`: whether the latents of `start` itself are wanted, beside those with the hole blanked.
    """
    size = scene.model_size
    latent_size = (size.height // components.vae_scale, size.width // components.vae_scale)
    original = coverage = masked = hole = None
    seen = np.full((*size.shape, 3), 0.5, np.float32) if start is None else resize(start[scene.view.slices], size)
    if components.checkpoint.inpaint:
        showing = (
            np.ones(size.shape, np.float32) if start is None else resize(scene.masks.alpha[scene.view.slices], size)
        )
        blank = showing > 0
        under = seen if scene.shown else np.float32(0.5)
        masked = room.encode(components, np.where(blank[..., None], under, seen), check=check)
        hole = pooled(blank.astype(np.float32), latent_size)
    elif start is not None:
        coverage = pooled(resize(scene.masks.denoise[scene.view.slices], size), latent_size)
    if start is not None and scene.shown:
        original = masked
    elif start is not None and begins_from:
        original = room.encode(components, seen, check=check)
    return EncodedContext(original, coverage, masked, hole)
