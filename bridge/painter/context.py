"""A context as the model looks at it: latents of its pixels, and where they may change."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ..canvas.infill import infill
from ..diffusion import LatentModel, MaskInput, pooled_mask
from .oom_guard import OomGuard
from .prepare import PreparedInput

__all__ = ["EncodedContext", "encode_context", "looked_at", "picture_beside"]


# What stands where a model repaints, in what it sees of the picture.
_BLANK = {MaskInput.CHANNELS: (0.5, 0.5, 0.5), MaskInput.MARKED_REFERENCE: (0.0, 1.0, 0.0)}


@dataclass(frozen=True)
class EncodedContext:
    """What `DenoiseInputs` takes by these names; None where the model or the job does without."""

    init_latents: torch.Tensor | None
    denoise_mask: torch.Tensor | None
    masked_image_latents: torch.Tensor | None
    mask: torch.Tensor | None


def encode_context(
    model: LatentModel,
    prepared: PreparedInput,
    start: np.ndarray | None,
    *,
    begins_from: bool,
    guard: OomGuard,
    check: Callable[[], None],
) -> EncodedContext:
    """Encodes `start` (h, w, 3) at the model's size; None: there is nothing to look at.

    `begins_from`: whether the latents of `start` itself are wanted, beside those of the masked picture.
    """
    init_latents = denoise_mask = masked_image_latents = mask = picture = None
    seen, blank = looked_at(prepared, start)
    if model.mask_input.sees_picture(blank):
        if model.mask_input is MaskInput.REFERENCE and prepared.infill_mode == "refine":
            # What is under the mask must not show in the latents around it either.
            picture = infill(seen, blank.astype(np.float32), None, "fill")
        else:
            picture = picture_beside(model, seen, blank, shown=prepared.shown)
        masked_image_latents = guard.encode(model, picture, check=check)
        mask = model.encode_mask(blank.astype(np.float32))
    if model.mask_input.blends and start is not None:
        denoise_mask = pooled_mask(prepared.fitted(prepared.masks.denoise), model.pixels_per_latent)
    if start is not None and (begins_from or prepared.shown):
        init_latents = masked_image_latents if picture is seen else guard.encode(model, seen, check=check)
    return EncodedContext(init_latents, denoise_mask, masked_image_latents, mask)


def looked_at(prepared: PreparedInput, start: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """What of `start` (h, w, 3), or of nothing, a model may look at, at its own size: (h', w', 3), 0..1; and (h', w'),
    True where it is repainted: everything that the layer can show.
    """
    size = prepared.model_size
    if start is None:
        return np.full((*size.shape, 3), 0.5, np.float32), np.ones(size.shape, bool)
    return prepared.fitted(start), prepared.fitted(prepared.masks.alpha) > 0


def picture_beside(model: LatentModel, picture: np.ndarray, blank: np.ndarray, *, shown: bool) -> np.ndarray:
    """What a model that sees the picture (h, w, 3) is given of it, where `blank` (h, w) is repainted.

    That is the colour which it knows for that, unless it is `shown` what is there, or looks at nothing there.
    """
    if shown or model.mask_input not in _BLANK:
        return picture
    return np.where(blank[..., None], np.array(_BLANK[model.mask_input], np.float32), picture)
