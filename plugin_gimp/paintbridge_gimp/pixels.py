"""Pixels between GIMP and the wire: which of them, and in which depth they travel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from gi.repository import Gegl, Gimp

from bridge.protocol.messages import Extent, Rect

from .color_conversion import is_srgb, read, write

__all__ = ["read_coverage", "read_layer", "read_visible", "wire_depth", "write_layer"]

# Without a space in their names these are sRGB's, straight alpha; a selection's own values are linear coverage, which
# "Y'" would bend.
_COLOUR = {"u8": "R'G'B'A u8", "u16": "R'G'B'A u16", "f16": "R'G'B'A half", "f32": "R'G'B'A float"}
_COVERAGE = {"u8": "Y u8", "u16": "Y u16"}

_EIGHT_BITS = (Gimp.Precision.U8_LINEAR, Gimp.Precision.U8_NON_LINEAR, Gimp.Precision.U8_PERCEPTUAL)
_SIXTEEN_BITS = (Gimp.Precision.U16_LINEAR, Gimp.Precision.U16_NON_LINEAR, Gimp.Precision.U16_PERCEPTUAL)
_HALF = (Gimp.Precision.HALF_LINEAR, Gimp.Precision.HALF_NON_LINEAR, Gimp.Precision.HALF_PERCEPTUAL)


def wire_depth(image: Gimp.Image) -> str:
    """The depth in which this image's pixels travel, both ways, and lose nothing on the way.

    Integers are clamped to sRGB, and halves too coarse for the shadows of what lies far beyond it.
    """
    precision = image.get_precision()
    if is_srgb(image):
        if precision in _EIGHT_BITS:
            # Linear light in 8 bits would lose its shadows in 8 bits of another kind.
            return "u8" if precision != Gimp.Precision.U8_LINEAR else "f16"
        if precision in _SIXTEEN_BITS:
            return "u16"
        if precision in _HALF:
            return "f16"
    return "f32"


def coverage_depth(depth: str) -> str:
    """The depth in which a selection travels beside pixels of the given depth."""
    return "u8" if depth == "u8" else "u16"


def read_visible(
    image: Gimp.Image,
    canvas: Extent,
    origin: tuple[int, int],
    area: Rect,
    depth: str,
    highest: Optional[Sequence[int]] = None,
) -> bytes:
    """The visible layers merged.

    Args:
        highest: the path to a layer (:func:`.placement.path_to`): what lies above that is left out.
        canvas, origin: the canvas's size, and where the image lies on it: (0, 0) unless the canvas is to grow.
        area: on the canvas.
    """
    # A copy shares its tiles with the image, and cropped first it is merged in a moment, however large the image is.
    copy = image.duplicate()
    try:
        copy.undo_disable()
        layers = copy.get_layers()
        for position in highest or ():
            for above in layers[:position]:
                above.set_visible(False)
            layers = layers[position].get_children() if layers[position].is_group() else []
        if origin != (0, 0) or (copy.get_width(), copy.get_height()) != (canvas.width, canvas.height):
            copy.resize(canvas.width, canvas.height, *origin)
        copy.crop(area.width, area.height, area.x, area.y)
        merged = Gimp.Layer.new_from_visible(copy, copy, None)
        return _read(merged, Rect(0, 0, area.width, area.height), _COLOUR[depth])
    finally:
        copy.delete()


def read_layer(layer: Gimp.Layer, origin: tuple[int, int], area: Rect, depth: str) -> bytes:
    """The pixels of one layer alone; transparent where it ends."""
    _, x, y = layer.get_offsets()
    return _read(layer, _moved(area, -origin[0] - x, -origin[1] - y), _COLOUR[depth])


def read_coverage(image: Gimp.Image, area: Rect, depth: str) -> bytes:
    """The selection."""
    return _read(image.get_selection(), area, _COVERAGE[depth])


def write_layer(layer: Gimp.Layer, data: memoryview, depth: str) -> None:
    """All of a layer's pixels."""
    write(layer, bytes(data), _COLOUR[depth])
    layer.update(0, 0, layer.get_width(), layer.get_height())


def _read(drawable: Gimp.Drawable, area: Rect, form: str) -> bytes:
    return read(drawable, Gegl.Rectangle.new(area.x, area.y, area.width, area.height), form)


def _moved(area: Rect, x: int, y: int) -> Rect:
    return Rect(area.x + x, area.y + y, area.width, area.height)
