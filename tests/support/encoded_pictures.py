"""Pictures as HTTP clients send them: encoded, in Base64, whole or broken."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import cv2
import numpy as np
import pyvips

__all__ = ["as_base64", "bomb", "disc", "encode", "from_base64", "photograph", "pixels_of"]

PHOTO = Path(__file__).parent.parent / "photos" / "lake-sherburne.jpg"


def photograph(width: int, height: int) -> np.ndarray:
    """A real photograph, (h, w, 3)."""
    return pyvips.Image.new_from_file(str(PHOTO)).thumbnail_image(width, height=height, size="force").numpy()


def disc(width: int, height: int, x: int, y: int, radius: int) -> np.ndarray:
    """A soft-edged white disc on black, (h, w, 1)."""
    mask = np.zeros((height, width), np.uint8)
    cv2.circle(mask, (x, y), radius, 255, -1, cv2.LINE_AA)
    return mask[:, :, None]


def encode(pixels: np.ndarray, ending: str = ".png", **options: object) -> bytes:
    """A file of these pixels."""
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
    colour = pixels.shape[2] >= 3
    wide = pixels.dtype == np.uint16
    image = image.copy(interpretation=("rgb16" if wide else "srgb") if colour else ("grey16" if wide else "b-w"))
    return bytes(image.write_to_buffer(ending, **options))


def as_base64(pixels: np.ndarray, ending: str = ".png") -> str:
    """What goes into JSON."""
    return base64.b64encode(encode(pixels, ending)).decode()


def from_base64(text: str) -> np.ndarray:
    """The pixels of what came in JSON."""
    return pixels_of(base64.b64decode(text))


def pixels_of(data: bytes) -> np.ndarray:
    """(h, w, bands) as the file holds them."""
    image = pyvips.Image.new_from_buffer(data, "")
    return image.numpy().reshape(image.height, image.width, image.bands)


def bomb(width: int = 25_000, height: int = 20_000) -> bytes:
    """A valid PNG header that announces half a billion pixels, in about a kilobyte."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((1, 0, 0, 0, 0))
    rows = zlib.compress(bytes(1 + width // 8) * 64, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
