"""The slow change of colour across a picture, as of a clear sky or a vignette, so that it can be set aside.

Patches that are copied from elsewhere bring the colours of where they come from. On a slope these are the wrong ones,
and where pieces from its two ends meet they leave a crease. Without the slope there is nothing to crease.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from .types import BoolArray, FloatArray

__all__ = ["smooth_trend"]

# The polynomial is fitted to means over areas, about as many to a side, so that texture has no say.
_SIDE = 48
# The share of the means' variance that the polynomial has to explain: below the first it is nothing but what things
# happen to lie where, and none of it counts; from the second on all of it does.
_EXPLAINED_LEAST, _EXPLAINED_MOST = 0.9, 0.97
# Below this variance all is one colour.
_LEAST_VARIANCE = 1e-7


def smooth_trend(picture: FloatArray, known: BoolArray) -> FloatArray | None:
    """The quadratic polynomial that the known colours follow, by least squares, where it explains nearly all of them.

    Args:
        picture: (h, w, 3), read where known.
        known: (h, w).

    Returns:
        (h, w, 3), unknown pixels included, of mean 0 over the known ones, and within the range of the known means less
        theirs; None where colours follow no such slope.
    """
    height, width = known.shape
    step = max(1, math.ceil(math.sqrt(known.size) / _SIDE))
    size = (math.ceil(width / step), math.ceil(height / step))
    share = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA).reshape(size[::-1])
    shown = np.where(known[..., None], picture, np.float32(0))
    summed = cv2.resize(shown, size, interpolation=cv2.INTER_AREA).reshape(*size[::-1], 3)
    usable = share > 0.5
    means = (summed[usable] / share[usable][:, None]).astype(np.float64)
    y, x = (_positions(count) for count in size[::-1])
    terms = _terms(*np.broadcast_arrays(y[:, None], x[None, :]))[usable]
    if len(means) < 2 * terms.shape[1]:
        return None
    centred = means - means.mean(axis=0)
    variance = float(np.square(centred).mean())
    if variance < _LEAST_VARIANCE:
        return None
    coefficients, *_ = np.linalg.lstsq(terms, centred, rcond=None)
    explained = 1 - float(np.square(centred - terms @ coefficients).mean()) / variance
    counts = (explained - _EXPLAINED_LEAST) / (_EXPLAINED_MOST - _EXPLAINED_LEAST)
    if counts <= 0:
        return None
    fine_y, fine_x = _positions(height), _positions(width)
    trend = np.zeros((height, width, 3), np.float32)
    for channel, (constant, *slopes) in enumerate(coefficients.T):
        down, across, down_twice, both, across_twice = slopes
        trend[..., channel] = (
            (constant + down * fine_y + down_twice * fine_y**2)[:, None]
            + across * fine_x
            + across_twice * fine_x**2
            + both * fine_y[:, None] * fine_x
        )
    np.clip(trend, centred.min(axis=0), centred.max(axis=0), out=trend)
    trend *= np.float32(min(1.0, counts))
    return trend


def _positions(count: int) -> np.ndarray:
    """The middles of so many pixels of equal length that make up -1..1."""
    positions: np.ndarray = (2 * np.arange(count) + 1) / count - 1
    return positions


def _terms(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=-1)
