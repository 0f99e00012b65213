"""Fills as a host submits them, painted in this process."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..canvas.context import plan
from ..canvas.geometry import Size
from ..canvas.mask import selection_bounds
from ..diffusion import ModelCache
from ..diffusion.device import Device
from ..models import Checkpoint
from ..painter import Region, Request, paint
from ..protocol.job import Conditioning, Edges, JobKind, JobSettings, Mode

__all__ = ["Filler"]


class _NoHooks:
    """Hooks that report nothing."""

    def stage(self, name: str, step: int, steps: int) -> None:
        pass

    def preview(self, rgb: np.ndarray, step: int) -> None:
        pass

    def check(self) -> None:
        pass


class Filler:
    """Fills with one checkpoint on one device."""

    def __init__(self, checkpoint: Checkpoint, device: Device) -> None:
        self.checkpoint = checkpoint
        self._model = ModelCache(device).on_demand(checkpoint)

    def fill(
        self,
        rgb: np.ndarray,
        mask: np.ndarray,
        *,
        mode: str = "auto",
        prompt: str = "",
        seed: int = 0,
        exact: bool = False,
        regions: Sequence[Region] = (),
    ) -> np.ndarray:
        """Fill the mask (h, w) bool of a picture (h, w, 3) uint8; ``exact``: no pixel beyond it, else as hosts do. The
        masks of ``regions`` are of the picture's size.
        """
        canvas = Size(rgb.shape[1], rgb.shape[0])
        grow, feather = (0.0, 0.0) if exact else (None, None)
        planned = plan(
            canvas,
            selection_bounds(mask.astype(np.float32)),
            kind="fill",
            mode=mode,
            choice="auto",
            rect=None,
            grow=grow,
            feather=feather,
            native_pixels=self.checkpoint.card.native_pixels,
            multiple=self.checkpoint.family.multiple,
            native_range=self.checkpoint.native_range,
        )
        seen = rgb[planned.context.slices].astype(np.float32) / 255
        request = Request(
            settings=JobSettings(
                JobKind.FILL,
                Mode(planned.mode),
                conditioning=Conditioning(prompt),
                edges=Edges(grow, feather, exact),
            ),
            canvas=canvas,
            context=planned.context,
            picture=np.dstack([seen, np.ones(seen.shape[:2], np.float32)]),
            selection=mask[planned.context.slices].astype(np.float32),
            seeds=(seed,),
            regions=tuple(replace(one, mask=one.mask[planned.context.slices]) for one in regions),
        )
        layer = paint(request, self._model, _NoHooks()).layers[0].layer
        filled = rgb.copy()
        below = rgb[layer.rect.slices].astype(np.float32) / 255
        alpha = layer.pixels[..., 3:]
        merged = below + (layer.pixels[..., :3] - below) * alpha
        filled[layer.rect.slices] = np.rint(np.clip(merged, 0, 1) * 255).astype(np.uint8)
        return filled
