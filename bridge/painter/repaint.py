"""The part of a job that the model does: pixels to latents, denoising, and back to pixels at the canvas's density."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import adaptive_max_pool2d

from ..canvas.resample import resize
from ..diffusion import Components, PreviewMaker, Walk, decode, denoise, encode, encode_prompt, steps_taken
from .detail import keep_detail
from .scene import Scene
from .stages import Stages

__all__ = ["Repainted", "repaint"]


@dataclass(frozen=True)
class Repainted:
    """The model's pictures, (h, w, 3) at the context's size, one a seed; and what they were made with."""

    pictures: list[np.ndarray]
    steps: int
    guidance: float
    sampler: str
    batched: bool
    hints: tuple[str, ...]


def repaint(
    components: Components, scene: Scene, start: np.ndarray | None, strength: float, stages: Stages
) -> Repainted:
    """Denoises from `start` (h, w, 3), the context's pixels with the first guess in the hole; None: from noise alone.

    At strength 1 the hole begins as pure noise. A UNet of four channels is held to `start` by the denoise mask; one of
    nine channels sees `start` with everything that the layer can show blanked.
    """
    request, card, check = scene.request, components.checkpoint.card, stages.hooks.check
    size = scene.plan.model_size
    latent_size = (size.height // components.vae_scale, size.width // components.vae_scale)
    sampler = request.sampler or card.default_sampler
    steps = request.steps if request.steps is not None else card.default_steps
    guidance = float(request.guidance if request.guidance is not None else card.default_guidance)

    original = coverage = masked = hole = None
    with stages("encode"):
        conditioning = encode_prompt(components, request.prompt, request.negative_prompt)
        seen = np.full((*size.shape, 3), 0.5, np.float32) if start is None else resize(start, size)
        if components.checkpoint.inpaint:
            showing = np.ones(size.shape, np.float32) if start is None else resize(scene.masks.alpha, size)
            blank = showing > 0
            masked = encode(components, np.where(blank[..., None], np.float32(0.5), seen), check=check)
            hole = _pooled(blank.astype(np.float32), latent_size)
        elif start is not None:
            coverage = _pooled(resize(scene.masks.denoise, size), latent_size)
        if start is not None and (strength < 1 or not components.checkpoint.inpaint):
            original = encode(components, seen, check=check)

    walk = Walk(
        size=latent_size,
        conditioning=conditioning,
        sampler=sampler,
        steps=steps,
        guidance=guidance,
        strength=strength,
        original=original,
        coverage=coverage,
        masked=masked,
        hole=hole,
    )
    batched = components.device.batches and len(request.seeds) > 1
    total = steps_taken(components, walk) * (1 if components.device.batches else len(request.seeds))
    with stages("denoise", total) as advance:
        latents = denoise(
            components,
            walk,
            request.seeds,
            check=check,
            progress=advance,
            preview=PreviewMaker(components.latent_to_rgb, stages.hooks.preview),
        )
    pictures: list[np.ndarray] = []
    round_trip = None
    with stages("decode", len(latents)) as advance:
        if start is not None and original is not None and strength < 1:
            round_trip = resize(decode(components, original, check=check), request.context.size)
        for one in latents:
            picture = resize(decode(components, one, check=check), request.context.size)
            if start is not None and round_trip is not None:
                picture = keep_detail(picture, start, round_trip, strength)
            pictures.append(picture)
            advance(len(pictures))
    hints = conditioning.hints
    if guidance == 1 and request.negative_prompt.strip():
        hints = (*hints, "A negative prompt has no effect at guidance 1; raise the guidance to use it.")
    return Repainted(pictures, steps, guidance, sampler, batched, hints)


def _pooled(mask: np.ndarray, latent_size: tuple[int, int]) -> torch.Tensor:
    """A mask at the latents' size, (1, 1, h, w): each the greatest of its pixels, so that none is lost."""
    return adaptive_max_pool2d(torch.from_numpy(np.ascontiguousarray(mask, np.float32))[None, None], latent_size)
