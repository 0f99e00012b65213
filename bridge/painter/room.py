"""Where memory runs out: what is kept is let go, then pictures go through the VAE in tiles, then the job ends."""

import gc
import traceback
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
import torch

from ..canvas.geometry import Size
from ..diffusion import Components, decode, encode
from ..diffusion.device import is_out_of_memory
from .kept import Kept
from .vae import Tiling

__all__ = ["Room"]

T = TypeVar("T")

_LEAST_SIDE = 4


class Room:
    """The memory that one job has. `tiled` is whether it did not suffice for the VAE at once.

    Nothing is tried more than three times. What fails for another reason, or is cancelled, is not tried again.
    """

    def __init__(self, kept: Kept, spare: Callable[[], None] = lambda: None) -> None:
        """`spare` lets go of what is in memory beside what the job uses."""
        self.kept = kept
        self.tiled = False
        self._spare = spare

    def twice(self, do: Callable[[], T]) -> T:
        """Does it; where memory runs out, lets go of what is kept and does it once more."""
        try:
            return do()
        except (MemoryError, RuntimeError) as error:
            _hold_nothing(error)
        self.free()
        return do()

    def encode(self, components: Components, rgb: np.ndarray, *, check: Callable[[], None]) -> torch.Tensor:
        """`diffusion.encode`, in tiles if need be."""
        whole = partial(encode, components, check=check)
        scale = components.vae_scale
        area = Size(rgb.shape[1] // scale, rgb.shape[0] // scale)
        return self._whole_or_tiled(lambda: whole(rgb), lambda: _halved(area, scale).encode(whole, rgb))

    def decode(self, components: Components, latents: torch.Tensor, *, check: Callable[[], None]) -> np.ndarray:
        """`diffusion.decode`, in tiles if need be."""
        whole = partial(decode, components, check=check)
        area = Size(latents.shape[-1], latents.shape[-2])
        tiling = _halved(area, components.vae_scale)
        return self._whole_or_tiled(lambda: whole(latents), lambda: tiling.decode(whole, latents))

    def free(self) -> None:
        """Lets go of what is kept, here and by torch, and of ControlNets that the job does not use."""
        self.kept.free()
        self._spare()
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        elif hasattr(torch, "xpu") and torch.xpu.is_available():
            torch.xpu.empty_cache()
        elif torch.backends.mps.is_available():
            torch.mps.empty_cache()

    def _whole_or_tiled(self, whole: Callable[[], T], tiled: Callable[[], T]) -> T:
        if not self.tiled:
            try:
                return self.twice(whole)
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
