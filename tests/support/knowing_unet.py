"""A denoiser that knows one picture: the optimum of the paper's loss on a data set of that picture alone.

What random weights paint cannot be judged, and no trained checkpoint of four channels ships. This one paints the
picture as the checkpoint's own autoencoder shows it, whatever it starts from and whatever it is asked for, through the
real loop, sampler, masks and VAE. Rombach et al. 2022, equation 2, with the expectation over one picture.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import torch

from bridge.canvas.geometry import Size
from bridge.canvas.resample import resize
from bridge.diffusion import LatentModel, OnDemand
from bridge.diffusion.schedules import VariancePreservingSchedule
from bridge.models.memory import WHOLE

__all__ = ["KnowingModel"]


class KnowingModel:
    """A model (`bridge.painter.Model`) of the trained checkpoint's parts, whose UNet knows `picture` (h, w, 3).

    `inpaint` is whether it is taken for one of nine channels, `shown` whether its card wants to see the infill under
    the mask. The picture is what it looks at in the jobs that it is for.
    """

    placement = WHOLE

    def __init__(self, trained: OnDemand, picture: np.ndarray, *, inpaint: bool, shown: bool = False) -> None:
        card = replace(trained.checkpoint.card, empty_prompt="denoise", masked_picture="grey", native_pixels=256 * 256)
        if shown:
            card = replace(card, masked_picture="infill")
        self.checkpoint = replace(trained.checkpoint, inpaint=inpaint, card=card)
        components = trained.load(lambda: None)
        unet = _KnowingUnet(components, picture)
        self._components = replace(components, checkpoint=self.checkpoint, unet=unet)
        self.shown = unet.shown

    def load(self, check, loaded):  # noqa: ARG002
        check()
        return self._components

    def guides(self, nets, check):  # noqa: ARG002
        assert not nets
        return ()

    def evict_unused(self, nets):
        pass

    def offload(self):
        return False


class _KnowingUnet:
    config = SimpleNamespace(time_cond_proj_dim=None)

    def __init__(self, components: LatentModel, picture: np.ndarray) -> None:
        self._components = components
        self._picture = picture
        self._sigmas = VariancePreservingSchedule(components.scheduler_config).sigmas_at(np.arange(1000))
        self._known: dict[Size, torch.Tensor] = {}

    def __call__(self, inputs, timestep, **_options):
        clean = self._latents(Size(inputs.shape[-1] * 8, inputs.shape[-2] * 8))
        signal = 1 / (1 + float(np.interp(float(timestep), np.arange(1000), self._sigmas)) ** 2)
        noise = (inputs[:, :4] - signal**0.5 * clean) / max(1 - signal, 1e-12) ** 0.5
        # mini predicts velocity (Salimans and Ho 2022).
        return (signal**0.5 * noise - (1 - signal) ** 0.5 * clean,)

    def shown(self, size: Size) -> np.ndarray:
        """The picture (h, w, 3) as the autoencoder shows it at that size of the model's."""
        found = self._components.decode(self._latents(size))
        height, width = self._picture.shape[:2]
        return resize(found, Size(width, height))

    def _latents(self, size: Size) -> torch.Tensor:
        if size not in self._known:
            self._known[size] = self._components.encode(resize(self._picture, size))
        return self._known[size]
