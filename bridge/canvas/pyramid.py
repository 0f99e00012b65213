"""A picture that is to be completed, at full size and halved again and again."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .distance import distance_to
from .patchmatch import usable_middles
from .types import BoolArray, FloatArray

__all__ = ["COARSEST_DEPTH", "Level", "hole_depth", "pyramid"]

# The coarsest level: a hole no thicker than twice this, a side no shorter, and patches to choose from.
COARSEST_DEPTH, _COARSEST_SIDE, _COARSEST_SOURCES = 5, 32, 64


@dataclass(frozen=True)
class Level:
    """One level of the pyramid: the picture, what to complete, and what may be copied."""

    image: FloatArray
    target: BoolArray
    source: BoolArray


def pyramid(picture: FloatArray, target: BoolArray, source: BoolArray) -> list[Level]:
    """Halve until the hole is a few patches thick, the finest level first; sides padded to halve evenly."""
    depth = hole_depth(target)
    halvings = 0
    while depth / 2**halvings > COARSEST_DEPTH and min(target.shape) / 2 ** (halvings + 1) >= _COARSEST_SIDE:
        halvings += 1
    below, beside = (-side % 2**halvings for side in target.shape)
    padding = ((0, below), (0, beside))
    levels = [Level(np.pad(picture, (*padding, (0, 0)), mode="edge"), np.pad(target, padding), np.pad(source, padding))]
    for _ in range(halvings):
        coarser = _halved(levels[-1])
        if np.count_nonzero(usable_middles(coarser.source)) < _COARSEST_SOURCES:
            break
        levels.append(coarser)
    return levels


def hole_depth(target: BoolArray) -> float:
    """How far its deepest pixel lies from any other, or from the picture's side."""
    return float(distance_to(np.pad(~target, 1, constant_values=True)).max())


def _halved(level: Level) -> Level:
    """A pixel that holds any of the target is target; one that holds nothing but source is source."""
    height, width = level.target.shape

    quartered = (height // 2, 2, width // 2, 2)
    image = cv2.resize(level.image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return Level(
        np.asarray(image, np.float32),
        np.any(level.target.reshape(quartered), axis=(1, 3)),
        np.all(level.source.reshape(quartered), axis=(1, 3)),
    )
