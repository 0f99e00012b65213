"""Distance to the original (LPIPS), visibility of the mask's outline, and time."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
import psutil  # type: ignore[import-untyped]
import torch

from ..canvas.geometry import Rect
from ..canvas.mask import selection_bounds
from ..training.autoencoder import to_tensor
from ..training.lpips import Lpips

__all__ = ["Likeness", "Timed", "likeness", "seam_ratio", "timed"]

T = TypeVar("T")

# LPIPS' backbone reduces sixteenfold, so that smaller pictures tell little.
_LEAST_SIDE = 64
_BESIDE = (-6, -5, -4, 4, 5, 6)


@dataclass(frozen=True)
class Likeness:
    """LPIPS to the original: of the whole picture, and of the mask's bounding box alone."""

    whole: float
    box: float


@dataclass(frozen=True)
class Timed(Generic[T]):
    """A result, its wall-clock seconds, and its processor seconds, which on a busy machine say more."""

    value: T
    seconds: float
    processor_seconds: float


def timed(do: Callable[[], T]) -> Timed[T]:
    """Calls ``do`` and measures this process and the children that it waits for."""
    began, spent = time.perf_counter(), _processor_seconds()
    value = do()
    return Timed(value, time.perf_counter() - began, _processor_seconds() - spent)


def _processor_seconds() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


@torch.no_grad()
def likeness(lpips: Lpips, filled: np.ndarray, original: np.ndarray, mask: np.ndarray) -> Likeness:
    """Of (h, w, 3) uint8 pictures and a (h, w) bool mask."""
    height, width = mask.shape
    bounds = selection_bounds(mask.astype(np.float32))
    assert bounds is not None
    room = max(0, _LEAST_SIDE - min(bounds.width, bounds.height))
    box = bounds.expanded(room).intersection(Rect(0, 0, width, height)) or bounds

    def distance(rows: slice, columns: slice) -> float:
        return float(lpips(*(to_tensor(np.ascontiguousarray(p[rows, columns])[None]) for p in (filled, original))))

    return Likeness(distance(slice(None), slice(None)), distance(*box.slices))


def seam_ratio(picture: np.ndarray, mask: np.ndarray) -> float:
    """The mean step of luminance across the mask's outline, over that across contours 4 to 6 px beside it.

    1: nothing shows that there was an outline.
    """
    luminance = picture.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    signed = np.subtract(*(cv2.distanceTransform(side.astype(np.uint8), cv2.DIST_L2, 5) for side in (mask, ~mask)))

    def step(inside: np.ndarray) -> float:
        crossing = [np.abs(np.diff(luminance, axis=axis))[np.diff(inside, axis=axis)] for axis in (0, 1)]
        return float(np.concatenate(crossing).mean())

    return step(mask) / float(np.mean([step(signed > level) for level in _BESIDE]))
