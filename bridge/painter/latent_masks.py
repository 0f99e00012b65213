"""Masks of pixels at the size of latents."""

import numpy as np
import torch
from torch.nn.functional import adaptive_max_pool2d

__all__ = ["pooled"]


def pooled(mask: np.ndarray, latent_size: tuple[int, int]) -> torch.Tensor:
    """A mask (h, w) at the latents' size (h, w), as (1, 1, h, w): each the greatest of its pixels, so none is lost."""
    return adaptive_max_pool2d(torch.from_numpy(np.ascontiguousarray(mask, np.float32))[None, None], latent_size)
