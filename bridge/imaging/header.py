"""What an encoded picture says of itself, judged before anything is unpacked."""

from __future__ import annotations

from ..errors import Sentence
from ..protocol.errors import BridgeError
from .orders import Encoded
from .sizes import read_size

__all__ = ["read_header"]


def read_header(data: bytes, *, most_pixels: int) -> Encoded:
    """Judge a picture before anything is unpacked.

    Raises:
        BridgeError: ``picture_unreadable`` for what is no PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF;
            ``picture_too_large``.
    """
    kind, size = read_size(data)
    if size is None or 0 in size:
        raise BridgeError(
            "picture_unreadable",
            Sentence("The picture's {kind} header is broken.", kind=kind.upper())
            if kind
            else "The picture is no PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF.",
            "Save it again as PNG, and send that.",
        )
    if size.pixels > most_pixels:
        raise BridgeError(
            "picture_too_large",
            "The picture has {width} x {height} pixels; the bridge accepts {most} pixels.",
            "Send a smaller one.",
            width=size.width,
            height=size.height,
            most=most_pixels,
        )
    return Encoded(data, kind, size.width, size.height)
