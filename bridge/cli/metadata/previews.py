"""Pictures that hide in what looks like words or numbers."""

from __future__ import annotations

import re

__all__ = ["holds_picture"]

_SIGNATURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....WEBP|ftyp(?:avif|heic|heix|mif1)|II\*\0|MM\0\*", re.DOTALL
)
# A line of Base64 or of hexadecimal digits: longer than words are.
_LINE = re.compile(rb"[A-Za-z0-9+/=_-]{24,}")
_BETWEEN_LINES = re.compile(rb"(?:\s|&#(?:[xX][aAdD]|1[03]);|\\[nrt])*")
_LEAST_BYTES = 512
"""Longer than hashes, keys and identifiers; the smallest thumbnails are longer."""


def holds_picture(data: bytes) -> bool:
    """Whether there is a picture file in it, as it is, or something long in Base64 or hexadecimal digits."""
    if _SIGNATURE.search(data):
        return True
    # Text in UTF-16 too.
    characters = data.replace(b"\0", b"")
    length, end = 0, 0
    for line in _LINE.finditer(characters):
        goes_on = _BETWEEN_LINES.fullmatch(characters, end, line.start())
        length = len(line[0]) + (length if goes_on else 0)
        end = line.end()
        if length >= _LEAST_BYTES:
            return True
    return False
