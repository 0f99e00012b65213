"""What an encoded picture says of itself, read from its first bytes: its kind and its size. Nothing is unpacked.

PNG (W3C, third edition, 11.2.1), JPEG (ITU T.81, B.2.2), WebP (RFC 9649, 2.5 and 2.7).
"""

from __future__ import annotations

from ..protocol.errors import BridgeError
from .orders import Encoded

__all__ = ["read_header"]

_PNG = b"\x89PNG\r\n\x1a\n"
# Start of frame: all but DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length.
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))


def read_header(data: bytes, *, most_pixels: int) -> Encoded:
    """Judge a picture before anything is unpacked.

    Raises:
        BridgeError: ``picture_unreadable`` for what is no PNG, JPEG or WebP; ``picture_too_large``.
    """
    kind, size = _look(data)
    if size is None or 0 in size:
        raise BridgeError(
            "picture_unreadable",
            "The picture is no PNG, JPEG or WebP." if not kind else f"The picture's {kind.upper()} header is broken.",
            "Save it again as PNG, and send that.",
        )
    width, height = size
    if width * height > most_pixels:
        raise BridgeError(
            "picture_too_large",
            f"The picture has {width} x {height} pixels; the bridge accepts {most_pixels} pixels.",
            "Send a smaller one.",
        )
    return Encoded(data, kind, width, height)


def _look(data: bytes) -> tuple[str, tuple[int, int] | None]:
    if data.startswith(_PNG):
        return "png", _png_size(data)
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg", _jpeg_size(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp", _webp_size(data)
    return "", None


def _png_size(data: bytes) -> tuple[int, int] | None:
    if data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            # Any number of them may stand before a marker.
            at += 1
        elif marker in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        elif marker in _BARE:
            at += 2
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return None
