"""Pixels between GIMP and the wire. babl converts: it knows the image's profile, precision and grey."""

from __future__ import annotations

from gi.repository import Gegl, Gimp

from bridge.protocol.messages import Extent, Rect

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

    Integers are clamped to sRGB, so an image with another profile travels as numbers that are not.
    """
    precision = image.get_precision()
    if precision in _EIGHT_BITS:
        plain = image.get_color_profile() is None and precision != Gimp.Precision.U8_LINEAR
        # Linear light in 8 bits would lose its shadows in 8 bits of another kind.
        return "u8" if plain else "f16"
    if precision in _SIXTEEN_BITS and image.get_color_profile() is None:
        return "u16"
    return "f16" if precision in _HALF else "f32"


def coverage_depth(depth: str) -> str:
    """The depth in which a selection travels beside pixels of the given depth."""
    return "u8" if depth == "u8" else "u16"


def read_visible(image: Gimp.Image, canvas: Extent, origin: tuple[int, int], area: Rect, depth: str) -> bytes:
    """The visible layers merged.

    Args:
        canvas, origin: the canvas's size, and where the image lies on it: (0, 0) unless the canvas is to grow.
        area: on the canvas.
    """
    # A copy shares its tiles with the image, and cropped first it is merged in a moment, however large the image is.
    copy = image.duplicate()
    try:
        copy.undo_disable()
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
    rectangle = Gegl.Rectangle.new(0, 0, layer.get_width(), layer.get_height())
    buffer = layer.get_buffer()
    buffer.set(rectangle, _COLOUR[depth], bytes(data))
    buffer.flush()
    layer.update(0, 0, layer.get_width(), layer.get_height())


def _read(drawable: Gimp.Drawable, area: Rect, form: str) -> bytes:
    rectangle = Gegl.Rectangle.new(area.x, area.y, area.width, area.height)
    return bytes(drawable.get_buffer().get(rectangle, 1.0, form, Gegl.AbyssPolicy.NONE))


def _moved(area: Rect, x: int, y: int) -> Rect:
    return Rect(area.x + x, area.y + y, area.width, area.height)
