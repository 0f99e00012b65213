"""Pictures and masks at other sizes."""

from __future__ import annotations

import cv2
import numpy as np

from .geometry import Size
from .types import FloatArray

__all__ = ["enlarge", "resize"]

_LEAST_ALPHA = 1 / 256


def resize(array: FloatArray, size: Size) -> FloatArray:
    """Resample to `size`; pixel areas correspond, so nothing shifts by half a pixel.

    Reduced sides are averaged over areas (no aliasing); enlarged ones are interpolated, by Lanczos for pictures (which
    may overshoot by a little, as any sharp filter does) and linearly for masks, which stay in their range. A fourth
    channel is alpha: colour is weighted by it, and is 0 where the result is all but transparent.

    Args:
        array: (h, w) mask, or (h, w, c) picture, float32.

    Returns:
        The same number of dimensions; the array itself when it has that size already.
    """
    if array.shape[:2] == size.shape:
        return array
    if array.ndim == 2:
        return np.clip(_resize(array, size, cv2.INTER_LINEAR), 0, 1)
    if array.shape[2] != 4 or float(array[..., 3].min()) == float(array[..., 3].max()):
        return _resize(array, size, cv2.INTER_LANCZOS4).reshape(*size.shape, array.shape[2])
    premultiplied = array.copy()
    premultiplied[..., :3] *= array[..., 3:]
    resized = _resize(premultiplied, size, cv2.INTER_LANCZOS4)
    alpha = resized[..., 3:]
    resized[..., :3] *= np.where(alpha < _LEAST_ALPHA, 0, 1 / np.maximum(alpha, _LEAST_ALPHA))
    np.clip(alpha, 0, 1, out=alpha)
    return resized


def enlarge(rgb: FloatArray, scale: int) -> FloatArray:
    """A picture (h, w, 3) a whole number of times as large, which reduced again by area is the picture.

    By Lanczos, corrected once by what that has lost (Irani and Peleg, "Improving Resolution by Image Registration",
    1991), which sharpens edges, then cut to the range of the picture's own values.
    """
    small = Size(rgb.shape[1], rgb.shape[0])
    size = Size(small.width * scale, small.height * scale)
    enlarged = resize(rgb, size)
    enlarged += resize(rgb - resize(enlarged, small), size)
    np.clip(enlarged, float(rgb.min()), float(rgb.max()), out=enlarged)
    return enlarged


def _resize(array: FloatArray, size: Size, enlarging: int) -> FloatArray:
    """Average first along the sides that shrink, then interpolate along those that grow."""
    height, width = array.shape[:2]
    smaller = (min(width, size.width), min(height, size.height))
    if smaller != (width, height):
        array = np.asarray(cv2.resize(array, smaller, interpolation=cv2.INTER_AREA), np.float32)
    if smaller != (size.width, size.height):
        array = np.asarray(cv2.resize(array, (size.width, size.height), interpolation=enlarging), np.float32)
    return array
