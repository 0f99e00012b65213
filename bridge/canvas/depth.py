"""Between a host's bit depth and our float32. Rounding happens once, in `from_float`.

Multi-byte values are little-endian, as on the wire.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import PictureMismatch, PictureUnreadable, ValueOutOfRange
from .types import AnyArray, FloatArray

__all__ = ["from_float", "to_float"]

_DTYPES: dict[str, np.dtype[Any]] = {
    "u8": np.dtype("u1"),
    "u16": np.dtype("<u2"),
    "f16": np.dtype("<f2"),
    "f32": np.dtype("<f4"),
}
_BLOCK_ROWS = 256


def to_float(buffer: bytes | bytearray | memoryview, width: int, height: int, channels: int, depth: str) -> FloatArray:
    """Read raw pixels.

    Args:
        buffer: height x width x channels values of `depth` ("u8", "u16", "f16", "f32"), rows from the top, no padding.

    Returns:
        (height, width, channels) float32 of its own memory: integers divided by their maximum, floats as they are.

    Raises:
        PictureMismatch: the buffer has another length than the size asks for.
        PictureUnreadable: a float is endless or not a number.
    """
    dtype = _dtype(depth)
    values = width * height * channels
    if memoryview(buffer).nbytes != values * dtype.itemsize:
        raise PictureMismatch(
            "The picture has {size} bytes, but {width} x {height} pixels of {channels} channels in "
            "{depth} take {wanted}; send it again.",
            size=memoryview(buffer).nbytes,
            width=width,
            height=height,
            channels=channels,
            depth=depth,
            wanted=values * dtype.itemsize,
        )
    raw = np.frombuffer(buffer, dtype).reshape(height, width, channels)
    if dtype.kind == "u":
        top = np.iinfo(dtype).max
        table = (np.arange(top + 1) / top).astype(np.float32)
        return np.take(table, raw)
    pixels = raw.astype(np.float32)
    _require_finite(pixels)
    return pixels


def from_float(array: FloatArray, depth: str) -> AnyArray:
    """Write pixels in a host's depth.

    Integers are cut to 0..1 and rounded half up; floats keep what lies beyond.

    Returns:
        A contiguous array of the same shape in the depth's little-endian dtype.

    Raises:
        PictureUnreadable: a value is endless or not a number, or too large for "f16".
    """
    dtype = _dtype(depth)
    _require_finite(array)
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            written = np.ascontiguousarray(array, dtype=dtype)
        if dtype.itemsize < 4:
            _require_finite(written)
        return written
    top = np.float32(np.iinfo(dtype).max)
    integers = np.empty(array.shape, dtype)
    for start in range(0, array.shape[0], _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        block = np.clip(array[rows], 0.0, 1.0).astype(np.float32, copy=False)
        block *= top
        block += np.float32(0.5)
        integers[rows] = block
    return integers


def _dtype(depth: str) -> np.dtype[Any]:
    if depth not in _DTYPES:
        raise ValueOutOfRange(
            'There is no depth "{depth}"; choose one of {depths}.', depth=depth, depths=", ".join(_DTYPES)
        )
    return _DTYPES[depth]


def _require_finite(array: AnyArray) -> None:
    # The sum is endless or not a number when any value is, and a sum takes no memory; only then look closer.
    if not np.isfinite(array.sum(dtype=np.float64)) and not np.isfinite(array).all():
        raise PictureUnreadable(
            "The picture holds values that are endless or not numbers; repair those pixels, or convert it to 16 bit."
        )
