"""Pixels between Krita and the wire, some rows at a time, so that the artist never waits."""

from __future__ import annotations

from collections.abc import Iterator

import krita

from .color_converter import ColorConverter
from .colors import ColorSpace, wire_depth, wire_space
from .cooperative_task import Steps
from .pixel_formats import concatenate, swap_red_and_blue
from .qt import QtCore

__all__ = ["to_wire", "write"]

# Converting so many takes some 20 ms.
_PIXELS_AT_ONCE = 1 << 17


def to_wire(data: QtCore.QByteArray, space: ColorSpace, width: int, height: int) -> Steps[memoryview]:
    """Returns red, green, blue, alpha, at the space's :func:`wire_depth`."""
    depth = wire_depth(space)
    if space.is_plain(depth):
        swapped: memoryview = yield lambda: swap_red_and_blue(data, depth)
        return swapped
    row, parts = data.size() // height, []
    with ColorConverter(space, wire_space(depth, space)) as converter:
        for top, rows in _bands(width, height):
            parts.append(converter.convert(data.mid(top * row, rows * row), width, rows))
            yield None
    # Floats are in the wire's order already.
    joined: memoryview = yield lambda: concatenate(parts, sum(part.size() for part in parts))
    return joined


def write(node: krita.Node, data: memoryview, depth: str, x: int, y: int, width: int, height: int) -> Steps[None]:
    """Pixels of the wire into a layer, in the layer's own colours."""
    ours = yield lambda: swap_red_and_blue(data, depth)
    space, row = ColorSpace.of(node), len(ours) // height
    with ColorConverter(wire_space(depth, space), space, needed=not space.is_plain(depth)) as converter:
        for top, rows in _bands(width, height):
            band = QtCore.QByteArray(bytes(ours[top * row : (top + rows) * row]))
            node.setPixelData(converter.convert(band, width, rows), x, y + top, width, rows)
            yield None


def _bands(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Where each begins, and how many rows it has."""
    rows = max(1, _PIXELS_AT_ONCE // width)
    for top in range(0, height, rows):
        yield top, min(rows, height - top)
