"""Conversion between Krita's byte order, the wire's, and QImage. For worker threads: nothing here calls Krita, and
nothing holds the interpreter lock for long, which the user interface's thread needs too.
"""

from __future__ import annotations

import functools
import mmap
import struct
from collections.abc import Iterable
from typing import Literal

from .qt import QtCore, QtGui

__all__ = ["concatenate", "opaque_where_seen", "swap_red_and_blue", "to_qimage"]

_BYTES = {"u8": 4, "u16": 8, "f16": 8, "f32": 16}
# The interpreter lock is held for at most this much.
_CHUNK_BYTES = 1 << 20
_MAX_SIDE = 2048
# 0 stays 0, and any other byte becomes 255.
_ANY = bytes([0]) + bytes([255]) * 255


def swap_red_and_blue(data: memoryview | QtCore.QByteArray, depth: str) -> memoryview:
    """Between Krita's BGRA integers and the wire's RGBA, both ways. Floats are RGBA in Krita too."""
    view = memoryview(data)
    if depth not in ("u8", "u16"):
        return view
    form: Literal["B", "H"] = "B" if depth == "u8" else "H"
    chunks = (view[start : start + _CHUNK_BYTES] for start in range(0, len(view), _CHUNK_BYTES))
    return concatenate((_swap(chunk, form) for chunk in chunks), len(view))


def concatenate(parts: Iterable[bytearray | memoryview | QtCore.QByteArray], size: int) -> memoryview:
    """All parts as one block of ``size`` bytes."""
    # Pages are allocated as they are written; a bytearray would be zeroed first, in one go.
    whole = memoryview(mmap.mmap(-1, size))
    start = 0
    for part in parts:
        view = memoryview(part)
        whole[start : start + len(view)] = view
        start += len(view)
    return whole


def to_qimage(data: memoryview, depth: str, width: int, height: int) -> QtGui.QImage:
    """Pixels of the wire as a QImage of at most 2048 pixels a side, subsampled without a filter."""
    step = -(-max(width, height) // _MAX_SIDE)
    row = width * _BYTES[depth]
    subsampled = [_subsampled(memoryview(data)[row * y : row * (y + 1)], depth, step) for y in range(0, height, step)]
    columns = len(subsampled[0]) // 4
    form = QtGui.QImage.Format.Format_RGBA8888
    return QtGui.QImage(b"".join(subsampled), columns, len(subsampled), 4 * columns, form).copy()


def opaque_where_seen(image: QtGui.QImage, picture: QtGui.QImage) -> QtGui.QImage:
    """The first image where the second has any alpha, and transparent elsewhere. Both are as :func:`to_qimage` makes
    them, and of one size.
    """
    width, height = image.width(), image.height()
    row = 4 * width
    seen, covering = (memoryview(one.constBits().asstring(row * height)) for one in (image, picture))
    rows = []
    for start in range(0, row * height, row):
        pixels = bytearray(seen[start : start + row])
        any_alpha = covering[start + 3 : start + row : 4].tobytes().translate(_ANY)
        both = int.from_bytes(pixels[3::4], "big") & int.from_bytes(any_alpha, "big")
        pixels[3::4] = both.to_bytes(width, "big")
        rows.append(pixels)
    form = QtGui.QImage.Format.Format_RGBA8888
    return QtGui.QImage(b"".join(rows), width, height, row, form).copy()


def _swap(piece: memoryview, form: Literal["B", "H"]) -> bytearray:
    swapped = bytearray(piece)
    there, here = memoryview(swapped).cast(form), piece.cast(form)
    there[0::4], there[2::4] = here[2::4], here[0::4]
    return swapped


def _subsampled(row: memoryview, depth: str, step: int) -> bytes:
    """Every ``step``-th pixel of a row, as 8-bit RGBA."""
    if depth == "u8":
        return row.cast("I")[::step].tobytes()
    # Of an integer the high byte; the upper half of a float is a coarse float.
    values, first, size = (row, 1, 2) if depth == "u16" else (row.cast("H"), *((0, 1) if depth == "f16" else (1, 2)))
    channels = [values[first + size * channel :: 4 * size * step].tolist() for channel in range(4)]
    subsampled = bytearray(4 * len(channels[0]))
    for channel, numbers in enumerate(channels):
        subsampled[channel::4] = bytes(numbers if depth == "u16" else map(_eight_bits(depth).__getitem__, numbers))
    return bytes(subsampled)


@functools.cache
def _eight_bits(depth: str) -> bytes:
    """A table from 16-bit floats to 8 bits."""
    words = struct.pack("<65536H", *range(65536))
    if depth == "f16":
        numbers = struct.unpack("<65536e", words)
    else:
        numbers = tuple(number for (number,) in struct.iter_unpack("<f", _to_float32(words)))
    return bytes(round(255 * min(max(number, 0.0), 1.0)) if number == number else 0 for number in numbers)


def _to_float32(words: bytes) -> bytes:
    """32-bit floats from their upper halves; the lower ones are 0."""
    wide = bytearray(2 * len(words))
    wide[2::4], wide[3::4] = words[0::2], words[1::2]
    return bytes(wide)
