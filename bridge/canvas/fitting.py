"""Arrays of a rectangle of the canvas as a model's picture, and back: resampled where need be, padded and cut again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from .geometry import Size
from .model_size import ModelFit
from .resample import resize
from .types import FloatArray

__all__ = ["Padding", "Resize", "fitted", "unfitted", "visible_part"]

Padding = Literal["reflect", "edge"]
Resize = Callable[[FloatArray, Size], FloatArray]


def fitted(array: FloatArray, fit: ModelFit, resized: Resize = resize, *, padding: Padding = "reflect") -> FloatArray:
    """The rectangle's array, (h, w) or (h, w, c), at `fit.size`: pixels below and at the right go on as its mirror.

    Masks and pictures are mirrored alike, so that what is to be repainted is so in the mirror too.
    """
    scaled = resized(array, fit.scaled)
    below, right = fit.size.height - fit.scaled.height, fit.size.width - fit.scaled.width
    if not below and not right:
        return scaled
    return np.pad(scaled, ((0, below), (0, right), *((0, 0),) * (array.ndim - 2)), mode=padding)


def unfitted(array: FloatArray, fit: ModelFit) -> FloatArray:
    """An array at `fit.size` at the rectangle's own size."""
    return resize(array[: fit.scaled.height, : fit.scaled.width], fit.canvas)


def visible_part(shape: tuple[int, int], fit: ModelFit) -> tuple[slice, slice]:
    """(rows, columns) of what the rectangle has of a picture of that shape, (h, w), which shows all of `fit.size`."""
    rows = max(1, round(shape[0] * fit.scaled.height / fit.size.height))
    columns = max(1, round(shape[1] * fit.scaled.width / fit.size.width))
    return slice(0, rows), slice(0, columns)
