"""Conversion between a drawable's own colors and the wire's sRGB.

babl converts: it knows the image's profile, precision and grey. But it approximates the curve of a plain gamma, as
Adobe RGB has it, even between two formats of one profile; deeper than 8 bits that shows in the shadows, where 0.002
comes back as 0.0067. There GIMP's ColorTransform (lcms) converts, and babl is told that the numbers are sRGB's.
"""

from __future__ import annotations

import os
from typing import Optional

from gi.repository import Babl, Gegl, Gimp, GLib

__all__ = ["is_srgb", "read", "write"]

# GIMP's switch: without it a ColorTransform leaves to babl what babl can do.
os.environ["GIMP_COLOR_TRANSFORM_DISABLE_BABL"] = "1"

_WIRE = "R'G'B'A float"
_INTENT = Gimp.ColorRenderingIntent.RELATIVE_COLORIMETRIC


def is_srgb(image: Gimp.Image) -> bool:
    """Whether babl takes the image's colors, or its grey, for sRGB's, with a profile or without."""
    try:
        space = image.get_effective_color_profile().get_space(_INTENT)
    except GLib.Error:
        # A profile of tables, which babl does not know: then the layers' numbers are sRGB's to it.
        return True
    return bool(space == Babl.space("sRGB"))


def read(drawable: Gimp.Drawable, area: Gegl.Rectangle, form: str) -> bytes:
    """The pixels of an area in one of babl's formats; transparent where the drawable ends."""
    buffer = drawable.get_buffer()
    if not _needs_lcms(drawable):
        return _content(buffer, area, form)
    wire = Gegl.Buffer.new(_WIRE, area.x, area.y, area.width, area.height)
    inside = Gegl.Rectangle.new(0, 0, 0, 0)
    if Gegl.Rectangle.intersect(inside, area, buffer.get_extent()):
        own = _like(drawable, inside)
        own.set(inside, _encoding(drawable), _content(buffer, inside, None))
        _transform(drawable, to_wire=True).process_buffer(own, inside, wire, inside)
    return _content(wire, area, form)


def write(layer: Gimp.Layer, data: bytes, form: str) -> None:
    """All of a layer's pixels, from one of babl's formats."""
    buffer = layer.get_buffer()
    area = buffer.get_extent()
    if _needs_lcms(layer):
        wire, own = Gegl.Buffer.new(_WIRE, area.x, area.y, area.width, area.height), _like(layer, area)
        wire.set(area, form, data)
        _transform(layer, to_wire=False).process_buffer(wire, area, own, area)
        form, data = Babl.get_name(layer.get_format()), _content(own, area, None)
    buffer.set(area, form, data)
    buffer.flush()


def _needs_lcms(drawable: Gimp.Drawable) -> bool:
    """Whether babl would be inexact: a tone curve that is not sRGB's, and more than 8 bits."""
    curved, eight_bits = "'" in _encoding(drawable), _encoding(drawable).endswith(" u8")
    return curved and not eight_bits and Babl.format_get_space(drawable.get_format()) != Babl.space("sRGB")


def _encoding(drawable: Gimp.Drawable) -> str:
    """The name of its format without its space, so that it names sRGB's."""
    return str(Babl.format_get_encoding(drawable.get_format()))


def _like(drawable: Gimp.Drawable, area: Gegl.Rectangle) -> Gegl.Buffer:
    """A buffer for the drawable's own numbers, which it believes sRGB's: within sRGB babl is exact."""
    return Gegl.Buffer.new(_encoding(drawable), area.x, area.y, area.width, area.height)


def _content(buffer: Gegl.Buffer, area: Gegl.Rectangle, form: Optional[str]) -> bytes:
    """Its pixels; without a format as they are."""
    return bytes(buffer.get(area, 1.0, form, Gegl.AbyssPolicy.NONE))


def _transform(drawable: Gimp.Drawable, *, to_wire: bool) -> Gimp.ColorTransform:
    own = drawable.get_image().get_color_profile()
    own_format = Babl.format("Y'A float" if drawable.is_gray() else _WIRE)
    srgb, wire_format = Gimp.ColorProfile.new_rgb_srgb(), Babl.format(_WIRE)
    flags = Gimp.ColorTransformFlags.NOOPTIMIZE
    if to_wire:
        return Gimp.ColorTransform.new(own, own_format, srgb, wire_format, _INTENT, flags)
    return Gimp.ColorTransform.new(srgb, wire_format, own, own_format, _INTENT, flags)
