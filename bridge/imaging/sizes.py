"""The size of an encoded picture, by its kind, read from its header. Nothing is unpacked.

PNG (W3C, third edition, 11.2.1), JPEG (ITU T.81, B.2.2), WebP (RFC 9649, 2.5 and 2.7), GIF (89a, 18), BMP (Windows'
BITMAPCOREHEADER and BITMAPINFOHEADER), TIFF (6.0, section 2, and BigTIFF), AVIF (ISO/IEC 23008-12, 6.5.3, in the boxes
of ISO/IEC 14496-12, 4.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

__all__ = ["Size", "read_size"]

_PNG = b"\x89PNG\r\n\x1a\n"
# Start of frame: all but DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length.
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
_CORE_BYTES = 12
# Of TIFF: the tags, and the values' types (SHORT, LONG, LONG8) with their bytes.
_WIDTH, _HEIGHT = 256, 257
# Where the strips, or the tiles, begin, and how many bytes each has.
_PIECES = ((273, 279), (324, 325))
_NUMBERS = {3: 2, 4: 4, 16: 8}
_MOST_BOXES = 4096


class Size(NamedTuple):
    """Pixels across and down, once it is unpacked; and how many have to be unpacked for that."""

    width: int
    height: int
    pixels: int


def read_size(data: bytes) -> tuple[str, Size | None]:
    """The kind of a picture (``png``, ``jpeg`` ...; empty: none that is known), and its size; None: a broken header."""
    kind = _kind(data)
    try:
        found = _READERS[kind](data) if kind else None
    except (IndexError, KeyError, ValueError, ZeroDivisionError):
        found = None
    return kind, found


def _kind(data: bytes) -> str:
    if data.startswith(_PNG):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if data[4:8] == b"ftyp" and {b"avif", b"avis"} & _brands(data):
        return "avif"
    # Two letters are few: what follows must be a header's length.
    if data[:2] == b"BM" and _little(data, 14, 4) in (_CORE_BYTES, *range(40, 129)):
        return "bmp"
    return ""


def _plain(width: int, height: int) -> Size:
    return Size(width, height, width * height)


def _big(data: bytes, at: int, length: int) -> int:
    part = data[at : at + length]
    if len(part) < length:
        raise IndexError
    return int.from_bytes(part, "big")


def _little(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")


def _png(data: bytes) -> Size | None:
    if data[12:16] != b"IHDR":
        return None
    return _plain(_big(data, 16, 4), _big(data, 20, 4))


def _jpeg(data: bytes) -> Size | None:
    at = 2
    while at + 9 < len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            # Any number of them may stand before a marker.
            at += 1
        elif marker in _FRAMES:
            return _plain(_big(data, at + 7, 2), _big(data, at + 5, 2))
        elif marker in _BARE:
            at += 2
        else:
            at += 2 + max(2, _big(data, at + 2, 2))
    return None


def _webp(data: bytes) -> Size | None:
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return _plain(1 + _little(body, 4, 3), 1 + _little(body, 7, 3))
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = _little(body, 1, 4)
        return _plain(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return _plain(_little(body, 6, 2) & 0x3FFF, _little(body, 8, 2) & 0x3FFF)
    return None


def _gif(data: bytes) -> Size | None:
    return _plain(_little(data, 6, 2), _little(data, 8, 2))


def _bmp(data: bytes) -> Size | None:
    if _little(data, 14, 4) == _CORE_BYTES:
        return _plain(_little(data, 18, 2), _little(data, 20, 2))
    # A height below 0: rows from the top down.
    width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (18, 22))
    return _plain(width, abs(height)) if width > 0 else None


def _tiff(data: bytes) -> Size | None:
    order = "little" if data[:2] == b"II" else "big"
    large = b"+" in data[2:4]

    def number(at: int, length: int) -> int:
        part = data[at : at + length]
        if len(part) < length:
            raise IndexError
        return int.from_bytes(part, "little" if order == "little" else "big")

    directory = number(8, 8) if large else number(4, 4)
    count = number(directory, 8) if large else number(directory, 2)
    first, step, value = (directory + 8, 20, 12) if large else (directory + 2, 12, 8)
    word = step - value

    def numbers(at: int) -> list[int]:
        length, many = _NUMBERS[number(at + 2, 2)], number(at + 4, word)
        begin = at + value if length * many <= word else number(at + value, word)
        if begin + length * many > len(data):
            raise IndexError
        return [number(begin + index * length, length) for index in range(many)]

    places = {number(at, 2): at for at in (first + index * step for index in range(min(count, _MOST_BOXES)))}
    (width,), (height,) = numbers(places[_WIDTH]), numbers(places[_HEIGHT])
    for begins, lengths in _PIECES:
        if begins in places and lengths in places:
            pieces = zip(numbers(places[begins]), numbers(places[lengths]), strict=True)
            if max((begin + length for begin, length in pieces), default=0) > len(data):
                # libtiff would make up what is missing.
                return None
    return _plain(width, height)


# ---------------------------------------------------------------- AVIF


def _brands(data: bytes) -> set[bytes]:
    end = min(_little(data[3::-1], 0, 4), 1024, len(data))
    return {data[at : at + 4] for at in range(8, end, 4) if at != 12}


def _avif(data: bytes) -> Size | None:
    meta = next(((start + 4, end) for kind, start, end in _boxes(data, 0, len(data)) if kind == b"meta"), None)
    if meta is None:
        return None
    inside = {kind: (start, end) for kind, start, end in _boxes(data, *meta)}
    properties = {kind: (start, end) for kind, start, end in _boxes(data, *inside.get(b"iprp", (0, 0)))}
    if b"pitm" not in inside or not {b"ipco", b"ipma"} <= properties.keys():
        return None
    start = inside[b"pitm"][0]
    primary = _big(data, start + 4, 2 if data[start] == 0 else 4)
    every = [(kind, begin) for kind, begin, _ in _boxes(data, *properties[b"ipco"])]
    sizes = [(_big(data, at + 4, 4), _big(data, at + 8, 4)) for kind, at in every if kind == b"ispe"]
    own = [every[index - 1] for index in _associated(data, properties[b"ipma"][0], primary) if index]
    own_sizes = [(_big(data, at + 4, 4), _big(data, at + 8, 4)) for kind, at in own if kind == b"ispe"]
    if not own_sizes:
        return None
    width, height = own_sizes[0]
    # In their order, as decoders go by them.
    for kind, at in own:
        if kind == b"clap":
            width, height = (_big(data, at + part, 4) // _big(data, at + part + 4, 4) for part in (0, 8))
        elif kind == b"irot" and data[at] & 1:
            width, height = height, width
    return Size(width, height, max(across * down for across, down in sizes))


def _associated(data: bytes, at: int, item: int) -> list[int]:
    """The numbers of an item's properties, from 1 on; at is where `ipma` begins."""
    version, wide = data[at], data[at + 3] & 1
    count, at = _big(data, at + 4, 4), at + 8
    for _ in range(min(count, _MOST_BOXES)):
        length = 2 if version < 1 else 4
        found, number, at = _big(data, at, length), data[at + length], at + length + 1
        step = 2 if wide else 1
        if found == item:
            return [_big(data, at + index * step, step) & (0x7FFF if wide else 0x7F) for index in range(number)]
        at += number * step
    return []


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The kind of each box, and where what is in it begins and ends."""
    for _ in range(_MOST_BOXES):
        if at + 8 > end:
            return
        length, begin = _big(data, at, 4), at + 8
        if length == 1:
            length, begin = _big(data, at + 8, 8), at + 16
        stop = end if length == 0 else at + length
        if not begin <= stop <= end:
            return
        yield data[at + 4 : at + 8], begin, stop
        at = stop


_READERS: Mapping[str, Callable[[bytes], Size | None]] = {
    "png": _png, "jpeg": _jpeg, "webp": _webp, "gif": _gif, "bmp": _bmp, "tiff": _tiff, "avif": _avif,
}  # fmt: skip
