"""Where in an image's layers a result goes: directly above the active layer, unless it would not be seen there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

from gi.repository import Gegl, Gimp

from bridge.protocol.messages import Rect

from .translation import _

__all__ = ["Place", "highest", "path_to", "place_above"]


@dataclass(frozen=True)
class Place:
    """In ``parent`` (None: the image itself), at ``position`` from its top. ``words`` say why, where that is not
    directly above the active layer.
    """

    parent: Optional[Gimp.Item]
    position: int
    words: str = ""


def place_above(image: Gimp.Image, layers: Sequence[Gimp.Layer], area: Rect) -> Place:
    """The place above a layer, and of several above the highest; in a group that shows nothing of what is in it, above
    that group.

    Args:
        area: of the image, where the result is to be seen.
    """
    layers = [layer for layer in layers if layer.is_valid()]
    if not layers:
        return Place(None, 0)
    layer = highest(layers)
    words = ""
    if len(layers) > 1:
        words = _("Several layers are chosen: the new one goes above the highest of them.")
    parent, position = layer.get_parent(), image.get_item_position(layer)
    group = parent
    while isinstance(group, Gimp.Layer):
        outer = group.get_parent()
        if _hides(group, area):
            parent, position = outer, image.get_item_position(group)
            words = _("The group “{name}” hides what is in it: the new layer goes above that group.").format(
                name=group.get_name()
            )
        group = outer
    return Place(parent, position, words)


def highest(layers: Sequence[Gimp.Layer]) -> Gimp.Layer:
    """The one that lies above the others."""
    return min(layers, key=path_to)


def path_to(layer: Gimp.Layer) -> list[int]:
    """Which of the image's layers, from the top, holds a layer, which of that one's, and so on, down to the layer."""
    image = layer.get_image()
    path: list[int] = []
    item: Optional[Gimp.Item] = layer
    while item is not None:
        path.insert(0, image.get_item_position(item))
        item = item.get_parent()
    return path


def _hides(group: Gimp.Layer, area: Rect) -> bool:
    """Whether nothing that is in a group is seen in an area: it is hidden, transparent, or its mask is black there."""
    if not group.get_visible() or group.get_opacity() == 0:
        return True
    mask = group.get_mask()
    if mask is None or not group.get_apply_mask():
        return False
    _success, x, y = group.get_offsets()
    inside = Gegl.Rectangle.new(0, 0, 0, 0)
    moved = Gegl.Rectangle.new(area.x - x, area.y - y, area.width, area.height)
    buffer = mask.get_buffer()
    if not Gegl.Rectangle.intersect(inside, moved, buffer.get_extent()):
        # Beyond the group there is no mask, and the group grows with what is put into it.
        return False
    return not any(bytes(buffer.get(inside, 1.0, "Y u8", Gegl.AbyssPolicy.NONE)))
