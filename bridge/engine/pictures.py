"""Pictures as they travel, to floats and back: raw pixels, and PNG or lossless WebP for clients on another machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..canvas.depth import from_float, to_float
from ..canvas.geometry import Size
from ..canvas.resample import resize
from ..protocol.errors import BridgeError
from ..protocol.messages import Picture, ResultFormat
from ..protocol.pixels import Buffer, describe

__all__ = ["THUMBNAIL_SIDE", "check_format", "decode", "encode", "thumbnail"]

THUMBNAIL_SIDE = 192
"""Most pixels a side of a thumbnail."""

_DEPTHS = {"raw": ("u8", "u16", "f16", "f32"), "png": ("u8", "u16"), "webp": ("u8",)}
_VIPS_FORMATS = {"u8": "uchar", "u16": "ushort"}
# A picture's bytes may be made by a stranger: only these two loaders ever see them, whatever they look like.
_LOADERS = {"png": "pngload_buffer", "webp": "webpload_buffer"}


def check_format(depth: str, encoding: str) -> None:
    """Hold a depth against what an encoding can carry.

    Raises:
        BridgeError: ``out_of_range``.
    """
    if depth not in _DEPTHS[encoding]:
        raise BridgeError(
            "out_of_range",
            "{encoding} carries {depths}, not {depth}.",
            "Ask for raw pixels, or for another depth.",
            encoding=encoding,
            depths=" and ".join(_DEPTHS[encoding]),
            depth=depth,
        )


def decode(picture: Picture, data: Buffer) -> np.ndarray:
    """(height, width, channels) float32 of its own memory; what is compressed is checked before it is unpacked.

    Raises:
        BridgeError: ``out_of_range picture_mismatch picture_unreadable``.
        CanvasError: ``picture_mismatch`` (raw pixels of another length), ``picture_unreadable`` (not finite).
    """
    check_format(picture.depth, picture.encoding)
    if picture.encoding != "raw":
        data = _unpack(picture, bytes(data))
    return to_float(data, picture.width, picture.height, picture.channels, picture.depth)


def _unpack(picture: Picture, data: bytes) -> memoryview:
    import pyvips

    try:
        image = getattr(pyvips.Image, _LOADERS[picture.encoding])(data, fail_on="truncated")
    except pyvips.Error as error:
        raise _unreadable(picture) from error
    bands = picture.channels
    if picture.encoding == "webp" and bands == 4 and image.bands == 3:
        # WebP drops an alpha channel that says nothing.
        bands = 3
    found = (image.width, image.height, image.bands, image.format)
    if found != (picture.width, picture.height, bands, _VIPS_FORMATS[picture.depth]):
        raise BridgeError(
            "picture_mismatch",
            "The {encoding} holds {width} x {height} pixels of {channels} channels in {bits} bit, "
            "but was described otherwise.",
            encoding=picture.encoding,
            width=image.width,
            height=image.height,
            channels=image.bands,
            bits=8 * np.dtype(_numpy_type(image.format)).itemsize,
        )
    try:
        pixels = np.asarray(image.numpy()).reshape(picture.height, picture.width, bands)
    except pyvips.Error as error:
        raise _unreadable(picture) from error
    if bands < picture.channels:
        pixels = np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], axis=2)
    little = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data


def _numpy_type(vips_format: str) -> str:
    return {"uchar": "u1", "ushort": "u2"}.get(vips_format, "f4")


def _unreadable(picture: Picture) -> BridgeError:
    return BridgeError(
        "picture_unreadable", "The picture could not be decoded as {encoding}.", encoding=picture.encoding
    )


def encode(pixels: np.ndarray, wanted: ResultFormat) -> tuple[Picture, Buffer]:
    """Pixels (h, w, channels) float32 as they are wanted, and their description.

    Raises:
        BridgeError: ``out_of_range`` for a depth that the encoding cannot carry.
        CanvasError: ``picture_unreadable`` for values that the depth cannot hold.
    """
    check_format(wanted.depth, wanted.encoding)
    height, width, channels = pixels.shape
    values = from_float(pixels, wanted.depth)
    data: Buffer = values.reshape(-1).view(np.uint8).data
    if wanted.encoding != "raw":
        data = _pack(values, wanted)
    described = describe(
        data, width=width, height=height, channels=channels, depth=wanted.depth, encoding=wanted.encoding
    )
    return described, data


def thumbnail(pixels: np.ndarray) -> tuple[Picture, bytes]:
    """A small picture of pixels (h, w, channels) float32, with its description: raw, 8 bit, each pixel the mean of
    those that it stands for, weighted by their alpha.
    """
    height, width, _ = pixels.shape
    factor = min(1.0, THUMBNAIL_SIDE / max(height, width))
    small = resize(pixels, Size(max(1, round(width * factor)), max(1, round(height * factor))))
    picture, data = encode(np.clip(small, 0.0, 1.0), ResultFormat())
    return picture, bytes(data)


def _pack(values: np.ndarray, wanted: ResultFormat) -> bytes:
    import pyvips

    height, width, channels = values.shape
    native = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
    image = pyvips.Image.new_from_memory(native, width, height, channels, _VIPS_FORMATS[wanted.depth])
    # Told what the numbers are, so that none is converted on the way out.
    image = image.copy(interpretation="rgb16" if wanted.depth == "u16" else "srgb")
    packed: Any
    if wanted.encoding == "png":
        packed = image.pngsave_buffer(compression=1, keep="none")
    else:
        packed = image.webpsave_buffer(lossless=True, exact=True, effort=1, keep="none")
    return bytes(packed)
