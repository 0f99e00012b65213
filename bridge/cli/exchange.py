"""Between a picture file and the wire: the context's pixels out, the layer's pixels back in.

On the wire colour is sRGB-encoded. Integers that are sRGB already travel as they are; everything else travels as 32-bit
floats, unclamped, so that wide gamuts survive. All of it goes by rows: the temporary arrays stay small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..client import Pixels
from ..protocol.messages import Rect
from .pictures import MAXIMUM, PictureFile
from .saving import Patch

__all__ = [
    "WirePixels",
    "composited",
    "from_wire",
    "in_the_pictures_terms",
    "layer_patch",
    "sendable",
    "to_wire",
    "wire_depth",
]

_ROWS = 256
_DTYPES = {"u8": "<u1", "u16": "<u2", "f32": "<f4"}


@dataclass(frozen=True)
class WirePixels:
    """Pixels as they travel: (h, w, channels), contiguous, little endian."""

    pixels: NDArray[Any]
    depth: str

    @property
    def data(self) -> memoryview:
        return self.pixels.data.cast("B")


def sendable(wire: WirePixels) -> Pixels:
    """The same pixels as the client takes them."""
    height, width, channels = wire.pixels.shape
    return Pixels(wire.data, width, height, channels, wire.depth)


def wire_depth(source: PictureFile) -> str:
    """The depth in which this picture's pixels travel, both ways."""
    return source.depth if source.space.is_srgb else "f32"


def to_wire(source: PictureFile, rect: Rect) -> WirePixels:
    """The pixels of a rectangle: RGB, or RGBA where the picture has transparency.

    Raises:
        CliError: the file is damaged.
    """
    native = source.read(rect)
    depth = wire_depth(source)
    if depth == source.depth and source.depth != "f32" and source.bands == 3:
        return WirePixels(np.ascontiguousarray(native, _DTYPES[depth]), depth)
    out = np.empty((rect.height, rect.width, 4 if source.alpha else 3), _DTYPES[depth])
    for row in range(0, rect.height, _ROWS):
        part = native[row : row + _ROWS]
        if source.space.is_srgb and source.bands == 1:
            out[row : row + _ROWS, :, :3] = part[:, :, :1]
        else:
            out[row : row + _ROWS, :, :3] = source.space.to_srgb(_scaled(part[:, :, : source.bands], source.depth))
        if source.alpha:
            alpha = part[:, :, source.bands]
            out[row : row + _ROWS, :, 3] = alpha if depth == source.depth else _scaled(alpha, source.depth)
    return WirePixels(out, depth)


def from_wire(data: memoryview, *, width: int, height: int, channels: int, depth: str) -> NDArray[Any]:
    """Pixels that came over the wire, (h, w, channels), without a copy."""
    return np.frombuffer(data, _DTYPES[depth]).reshape(height, width, channels)


def composited(source: PictureFile, x: int, y: int, layer: NDArray[Any], depth: str) -> Patch:
    """The layer over the picture, in the picture's own colours and depth.

    Where the layer's alpha is 0 the picture's pixels are copied, bit for bit. Blending is done on sRGB-encoded values,
    straight alpha, as painting programs do by default (Porter and Duff's *over*).

    Raises:
        CliError: the file is damaged.
    """
    height, width = layer.shape[:2]
    out = source.read(Rect(x, y, width, height)).copy()
    for row in range(0, height, _ROWS):
        below = out[row : row + _ROWS]
        above = _scaled(layer[row : row + _ROWS], depth)
        cover = above[:, :, 3:]
        ground = source.space.to_srgb(_scaled(below[:, :, : source.bands], source.depth))
        if source.alpha:
            left = _scaled(below[:, :, source.bands :], source.depth) * (1 - cover)
            total = cover + left
            mean = (above[:, :, :3] * cover + ground * left) / np.maximum(total, 1e-12)
            colour = mean.astype(np.float32)
            mixed = np.concatenate([source.space.from_srgb(colour), total], axis=2)
        else:
            mixed = source.space.from_srgb(above[:, :, :3] * cover + ground * (1 - cover))
        out[row : row + _ROWS] = np.where(cover > 0, _quantised(mixed, source.depth), below)
    return Patch(x, y, out)


def in_the_pictures_terms(source: PictureFile, layer: NDArray[Any], depth: str) -> NDArray[Any]:
    """The layer as a picture of its own, in the source's colours and depth, with transparency where that has some."""
    pixels = layer_patch(source, 0, 0, layer, depth).pixels
    return pixels if source.alpha else np.ascontiguousarray(pixels[:, :, : source.bands])


def layer_patch(source: PictureFile, x: int, y: int, layer: NDArray[Any], depth: str) -> Patch:
    """The layer alone, in the picture's own colours and depth, with transparency."""
    out = np.empty((*layer.shape[:2], source.bands + 1), source.dtype)
    for row in range(0, len(layer), _ROWS):
        above = _scaled(layer[row : row + _ROWS], depth)
        colour = source.space.from_srgb(above[:, :, :3]) * (above[:, :, 3:] > 0).astype(np.float32)
        out[row : row + _ROWS] = _quantised(np.concatenate([colour, above[:, :, 3:]], axis=2), source.depth)
    return Patch(x, y, out)


def _scaled(values: NDArray[Any], depth: str) -> NDArray[np.float32]:
    return values.astype(np.float32) / np.float32(MAXIMUM[depth])


def _quantised(values: NDArray[np.float32], depth: str) -> NDArray[Any]:
    if depth == "f32":
        return values
    scaled: NDArray[Any] = np.rint(np.clip(values, 0, 1) * np.float32(MAXIMUM[depth])).astype(_DTYPES[depth])
    return scaled
