"""Rough previews of latents, by a linear map from latent channels to colours, fitted to the checkpoint's own VAE.

That a linear map suffices for a glance was shown for SD1 by Keturn (2022); fitting it serves any VAE.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import interpolate

__all__ = ["PreviewMaker", "fit_latent_to_rgb"]

_INTERVAL_SECONDS = 0.25
# Of the picture's size, so that a latent of 8 pixels is shown as two.
_SHARE = 1 / 4
_LONGEST_SIDE = 1024


@torch.no_grad()
def fit_latent_to_rgb(decode: Callable[[torch.Tensor], torch.Tensor], channels: int) -> torch.Tensor:
    """Least squares from latents, with a constant, to the VAE's pixels: (channels + 1, 3), for colours 0..1.

    `decode` takes latents (1, channels, h, w) to pixels (1, 3, h', w'), -1..1. Fitted on the decoded pictures of a few
    smooth seeded latents, each 8x8, which takes a fraction of a second. NaN where the VAE decodes to what is no number.
    """
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn((6, channels, 3, 3), generator=generator)
    latents = interpolate(coarse, size=(8, 8), mode="bicubic", align_corners=True)
    pixels = [decode(one[None]) for one in latents]
    colours = interpolate(torch.cat(pixels).float().cpu(), size=(8, 8), mode="area") / 2 + 0.5
    if not colours.isfinite().all():
        return torch.full((channels + 1, 3), torch.nan)
    inputs = latents.permute(0, 2, 3, 1).reshape(-1, channels)
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
    fitted: torch.Tensor = torch.linalg.lstsq(inputs, colours.permute(0, 2, 3, 1).reshape(-1, 3)).solution
    return fitted


class PreviewMaker:
    """Turns estimates of the clean latents into small pictures, at most four a second."""

    def __init__(
        self, latent_to_rgb: torch.Tensor, pixels_per_latent: int, show: Callable[[np.ndarray, int], None]
    ) -> None:
        self._map = latent_to_rgb
        self._enlarged = pixels_per_latent * _SHARE
        self._show = show
        self._shown_at = float("-inf")

    def __call__(self, clean: torch.Tensor, step: int) -> None:
        """Shows the estimate (channels, h, w) as uint8 RGB, a quarter of the picture's size but 1024 a side at most,
        unless it is too soon.
        """
        now = time.monotonic()
        if now - self._shown_at < _INTERVAL_SECONDS:
            return
        self._shown_at = now
        latents = clean.float().cpu()
        colours = torch.einsum("chw,ck->khw", latents, self._map[:-1]) + self._map[-1][:, None, None]
        factor = min(self._enlarged, _LONGEST_SIDE / max(latents.shape[1:]))
        enlarged = interpolate(colours[None], scale_factor=factor, mode="bilinear", align_corners=False)[0]
        rgb = (enlarged.clamp(0, 1) * 255 + 0.5).permute(1, 2, 0).to(torch.uint8).contiguous().numpy()
        self._show(rgb, step)
