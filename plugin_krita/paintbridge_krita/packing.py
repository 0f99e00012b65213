"""Bytes between Krita's order and the wire's. For threads of their own: nothing here calls Krita, and nothing holds the
interpreter for long, which the user interface's thread needs too.
"""

from __future__ import annotations

import functools
import mmap
import struct
from collections.abc import Iterable

from .qt import QtCore, QtGui

__all__ = ["image_of", "joined", "swapped"]

_BYTES = {"u8": 4, "u16": 8, "f16": 8, "f32": 16}
# At most so much in one go.
_PIECE = 1 << 20
_SHOWN = 2048


def swapped(data: memoryview | QtCore.QByteArray, depth: str) -> memoryview:
    """Krita keeps integers as blue, green, red, alpha; floats as the wire has them. Both ways are the same."""
    view = memoryview(data)
    if depth not in ("u8", "u16"):
        return view
    form = "B" if depth == "u8" else "H"
    return joined((_swapped(view[start : start + _PIECE], form) for start in range(0, len(view), _PIECE)), len(view))


def joined(parts: Iterable[bytes | memoryview | QtCore.QByteArray], size: int) -> memoryview:
    """All parts, one after the other."""
    # Memory that is taken as it is filled: a bytearray would be filled with zeros first, all at once.
    whole = memoryview(mmap.mmap(-1, size))
    start = 0
    for part in parts:
        view = memoryview(part)
        whole[start : start + len(view)] = view
        start += len(view)
    return whole


def image_of(data: memoryview, depth: str, width: int, height: int) -> QtGui.QImage:
    """Pixels of the wire as a picture for the screen, of at most 2048 pixels a side: every second one, or so."""
    step = -(-max(width, height) // _SHOWN)
    row = width * _BYTES[depth]
    picked = [_picked(memoryview(data)[row * y : row * (y + 1)], depth, step) for y in range(0, height, step)]
    columns = len(picked[0]) // 4
    form = QtGui.QImage.Format.Format_RGBA8888
    return QtGui.QImage(b"".join(picked), columns, len(picked), 4 * columns, form).copy()


def _swapped(piece: memoryview, form: str) -> bytearray:
    swapped = bytearray(piece)
    there, here = memoryview(swapped).cast(form), piece.cast(form)
    there[0::4], there[2::4] = here[2::4], here[0::4]
    return swapped


def _picked(row: memoryview, depth: str, step: int) -> bytes:
    """Every so many pixels of a row, in eight bits."""
    if depth == "u8":
        return row.cast("I")[::step].tobytes()
    # Of an integer the high byte; the upper half of a float is a coarse float.
    values, first, size = (row, 1, 2) if depth == "u16" else (row.cast("H"), *((0, 1) if depth == "f16" else (1, 2)))
    channels = [values[first + size * channel :: 4 * size * step].tolist() for channel in range(4)]
    picked = bytearray(4 * len(channels[0]))
    for channel, numbers in enumerate(channels):
        picked[channel::4] = bytes(numbers if depth == "u16" else map(_eight_bits(depth).__getitem__, numbers))
    return bytes(picked)


@functools.cache
def _eight_bits(depth: str) -> bytes:
    """What each float of 16 bits is on the screen."""
    words = struct.pack("<65536H", *range(65536))
    if depth == "f16":
        numbers = struct.unpack("<65536e", words)
    else:
        numbers = tuple(number for (number,) in struct.iter_unpack("<f", _widened(words)))
    return bytes(round(255 * min(max(number, 0.0), 1.0)) if number == number else 0 for number in numbers)


def _widened(words: bytes) -> bytes:
    """Upper halves of floats, with nothing below."""
    wide = bytearray(2 * len(words))
    wide[2::4], wide[3::4] = words[0::2], words[1::2]
    return bytes(wide)
