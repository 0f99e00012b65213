"""A job's regions: prompts that count in a part of whatever plane is denoised."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from ..canvas.mask import LEAST_COVERAGE
from ..canvas.resample import resize
from ..diffusion import EncodedPrompts, LatentModel, Regional
from .conditions import Fit
from .request import Region

__all__ = ["place_regions", "regions_meeting"]


def regions_meeting(regions: Sequence[Region], repainted: np.ndarray) -> tuple[Region, ...]:
    """Those that count somewhere in what is `repainted` (h, w), more than 0 there."""
    return tuple(one for one in regions if (one.mask[repainted > 0] >= LEAST_COVERAGE).any())


def place_regions(
    regions: Sequence[Region], prompts: Sequence[EncodedPrompts], model: LatentModel, fit: Fit
) -> tuple[Regional[EncodedPrompts], ...]:
    """The regions' `prompts` with their shares of a plane's latents: the upper region has what it covers."""
    placed: list[Regional[EncodedPrompts]] = []
    left: np.ndarray | None = None
    for region, encoded in reversed(list(zip(regions, prompts, strict=True))):
        # Resampling overshoots at edges.
        mask = np.clip(fit(region.mask, resize), 0, 1)
        share = mask if left is None else mask * left
        left = 1 - mask if left is None else left - share
        pixels = torch.from_numpy(np.ascontiguousarray(share, np.float32))[None, None]
        placed.append(Regional(encoded, avg_pool2d(pixels, model.pixels_per_latent)))
    return tuple(reversed(placed))
