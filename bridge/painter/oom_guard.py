"""Where memory runs out: what is not used is let go, then pictures go through the VAE in tiles, then the job ends."""

import math
import traceback
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from ..canvas.geometry import Size
from ..diffusion import LatentModel
from ..diffusion.device import is_out_of_memory
from .result_cache import ResultCache
from .tiling import Tiling

__all__ = ["OomGuard"]

T = TypeVar("T")

_LEAST_SIDE = 4


class OomGuard:
    """Sees one job through where memory is short. `tiled` is whether it did not suffice for the VAE at once.

    Nothing is tried more than three times. What fails for another reason, or is cancelled, is not tried again. `hints`
    are what the artist should know of it.
    """

    def __init__(
        self,
        results: ResultCache,
        evict_unused: Callable[[], None] = lambda: None,
        *,
        vae_pixels: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`evict_unused` lets go of what is in memory beside what the job uses, and of what torch holds unused.

        `vae_pixels` is how many pixels the VAE takes at once; None: as many as there are, as far as memory goes.
        """
        self.results = results
        self.tiled = False
        self.hints: tuple[str, ...] = ()
        self._evict_unused = evict_unused
        self._vae_pixels = vae_pixels

    def retry(self, do: Callable[[], T]) -> T:
        """Does it; where memory runs out, lets go of what is not used and does it once more."""
        try:
            return do()
        except (MemoryError, RuntimeError) as error:
            _hold_nothing(error)
        self.free()
        return do()

    def encode(self, model: LatentModel, rgb: np.ndarray, *, check: Callable[[], None]) -> torch.Tensor:
        """`LatentModel.encode`, in tiles if need be. `check` is called before each."""

        def whole(pixels: np.ndarray) -> torch.Tensor:
            check()
            return model.encode(pixels)

        scale = model.pixels_per_latent
        area = Size(rgb.shape[1] // scale, rgb.shape[0] // scale)
        if (planned := self._planned(area, scale)) is not None:
            return self.retry(lambda: planned.encode(whole, rgb))
        return self._whole_or_tiled(lambda: whole(rgb), lambda: _halved(area, scale).encode(whole, rgb))

    def decode(self, model: LatentModel, latents: torch.Tensor, *, check: Callable[[], None]) -> np.ndarray:
        """`LatentModel.decode`, in tiles if need be. `check` is called before each."""

        def whole(plane: torch.Tensor) -> np.ndarray:
            check()
            return model.decode(plane)

        area = Size(latents.shape[-1], latents.shape[-2])
        if (planned := self._planned(area, model.pixels_per_latent)) is not None:
            return self.retry(lambda: planned.decode(whole, latents))
        tiling = _halved(area, model.pixels_per_latent)
        return self._whole_or_tiled(lambda: whole(latents), lambda: tiling.decode(whole, latents))

    def free(self) -> None:
        """Lets go of results that could be used again, and of models and guides that the job does not use."""
        self.results.free()
        self._evict_unused()

    def _planned(self, area: Size, scale: int) -> Tiling | None:
        """The tiles that are known to be needed before anything has failed; none where that has happened."""
        most = self._vae_pixels()
        if self.tiled or most is None or area.area * scale**2 <= most:
            return None
        return Tiling.of(area, max(_LEAST_SIDE, math.isqrt(most) // scale), scale)

    def _whole_or_tiled(self, whole: Callable[[], T], tiled: Callable[[], T]) -> T:
        if not self.tiled:
            try:
                return self.retry(whole)
            except (MemoryError, RuntimeError) as error:
                _hold_nothing(error)
            self.free()
            self.tiled = True
        return tiled()


def _hold_nothing(error: BaseException) -> None:
    """Frees what an error's frames hold. Raises it again if it is another than that memory ran out."""
    if not is_out_of_memory(error):
        raise error
    traceback.clear_frames(error.__traceback__)


def _halved(area: Size, scale: int) -> Tiling:
    """Tiles of half the longer side, so of a quarter of the memory."""
    return Tiling.of(area, max(_LEAST_SIDE, -(-max(area.width, area.height) // 2)), scale)
