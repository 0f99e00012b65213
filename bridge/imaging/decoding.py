"""Encoded pictures unpacked, in the child process. Importing this imports numpy, libvips and Pillow."""

from __future__ import annotations

import io

import numpy as np
import pyvips
from PIL import Image

from ..protocol.errors import BridgeError
from .orders import Encoded

__all__ = ["hints_of", "load"]

# A picture's bytes may be made by a stranger: only these loaders ever see them, whatever they look like.
_LOADERS = {
    "png": "pngload_buffer",
    "jpeg": "jpegload_buffer",
    "webp": "webpload_buffer",
    "gif": "gifload_buffer",
    "tiff": "tiffload_buffer",
    "avif": "heifload_buffer",
}
_FIRST_ONLY = "The picture has several frames or pages: the first was used."

# Pillow's own limit: the headers were judged by the settings' one.
Image.MAX_IMAGE_PIXELS = None


def load(encoded: Encoded) -> pyvips.Image:
    """The upright picture, u8, in 1 to 4 bands, unpacked whole: what is broken is told here.

    Raises:
        BridgeError: ``picture_unreadable``, ``picture_mismatch``.
    """
    try:
        image = _unpacked(encoded)
        if (image.width, image.height) != (encoded.width, encoded.height):
            raise BridgeError("picture_mismatch", "The picture's header says one size, and its data another.")
        image = image.autorot()
        if image.format not in ("uchar", "ushort"):
            raise BridgeError(
                "picture_unreadable",
                "The picture's numbers are not of 8 or 16 bits.",
                "Save it again as PNG, and send that.",
            )
        if image.interpretation not in ("srgb", "b-w", "rgb16", "grey16"):
            image = image.colourspace("srgb")
        if image.format == "ushort":
            image = (image / 257).rint().cast("uchar")
        if image.bands > 4:
            image = image.extract_band(0, n=4)
        return image.copy_memory()
    except (pyvips.Error, OSError, SyntaxError) as error:
        raise BridgeError(
            "picture_unreadable",
            "The picture could not be decoded as {kind}: it is damaged or incomplete.",
            "Save it again as PNG, and send that.",
            kind=encoded.kind.upper(),
        ) from error


def _unpacked(encoded: Encoded) -> pyvips.Image:
    if encoded.kind == "bmp":
        return _bitmap(encoded.data)
    image = getattr(pyvips.Image, _LOADERS[encoded.kind])(encoded.data, fail_on="truncated")
    if _is_animation(encoded):
        # libvips takes these for their first frame, and is silent about it.
        image = image.copy()
        image.set_type(pyvips.GValue.gint_type, "n-pages", 2)
    return image


def _is_animation(encoded: Encoded) -> bool:
    if encoded.kind == "png":
        return b"acTL" in encoded.data[: encoded.data.find(b"IDAT")]
    return encoded.kind == "avif" and encoded.data[8:12] == b"avis"


def _bitmap(data: bytes) -> pyvips.Image:
    """A BMP, which libvips does not read."""
    with Image.open(io.BytesIO(data), formats=["BMP"]) as opened:
        mode = opened.mode if opened.mode in ("L", "RGB", "RGBA") else "L" if opened.mode == "1" else "RGB"
        pixels = np.asarray(opened.convert(mode))
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
    return image.copy(interpretation="b-w" if pixels.shape[2] == 1 else "srgb")


def hints_of(image: pyvips.Image) -> tuple[str, ...]:
    """What whoever sent a loaded picture should know of it."""
    several = "n-pages" in image.get_fields() and image.get("n-pages") > 1
    return (_FIRST_ONLY,) if several else ()
