"""Strips along the canvas's sides that are transparent, as after the canvas has grown: where a picture can go on."""

from __future__ import annotations

from typing import Optional

from gi.repository import Gimp

from bridge.protocol.messages import Extent, Rect

from .pixels import read_visible

__all__ = ["picture_within"]

_OPAQUE = 255


def picture_within(image: Gimp.Image) -> Optional[Rect]:
    """The picture that such strips lie beside, an opaque rectangle; None: there are none. The ground behind a figure is
    no strip: what is there does not end in straight lines. Only single rows and columns are merged.
    """
    canvas = Extent(image.get_width(), image.get_height())
    shown = [layer for layer in image.get_layers() if layer.get_visible()]
    boxes = [(*layer.get_offsets()[1:], layer.get_width(), layer.get_height()) for layer in shown]
    if not boxes:
        return None
    left, top = max(min(x for x, _, _, _ in boxes), 0), max(min(y for _, y, _, _ in boxes), 0)
    right = min(max(x + width for x, _, width, _ in boxes), canvas.width)
    bottom = min(max(y + height for _, y, _, height in boxes), canvas.height)
    if left >= right or top >= bottom:
        return None
    row = _alpha(image, canvas, Rect(0, (top + bottom) // 2, canvas.width, 1))
    column = _alpha(image, canvas, Rect((left + right) // 2, 0, 1, canvas.height))
    across, down = _opaque_part(row), _opaque_part(column)
    if across is None or down is None:
        return None
    picture = Rect(across[0], down[0], across[1] - across[0], down[1] - down[0])
    if (picture.width, picture.height) == (canvas.width, canvas.height):
        return None
    x, y, width, height = picture.x, picture.y, picture.width, picture.height
    within = [Rect(x, y, width, 1), Rect(x, y + height - 1, width, 1), Rect(x, y, 1, height)]
    within.append(Rect(x + width - 1, y, 1, height))
    beyond = [Rect(0, at, canvas.width, 1) for at in (y - 1, y + height) if 0 <= at < canvas.height]
    beyond += [Rect(at, 0, 1, canvas.height) for at in (x - 1, x + width) if 0 <= at < canvas.width]
    straight = all(min(_alpha(image, canvas, line)) == _OPAQUE for line in within)
    return picture if straight and not any(max(_alpha(image, canvas, line)) for line in beyond) else None


def _alpha(image: Gimp.Image, canvas: Extent, area: Rect) -> bytes:
    return read_visible(image, canvas, (0, 0), area, "u8")[3::4]


def _opaque_part(alpha: bytes) -> Optional[tuple[int, int]]:
    """Where it begins and ends; None: it is none, or more than one."""
    stripped = alpha.strip(b"\0")
    if not stripped or min(stripped) < _OPAQUE:
        return None
    start = len(alpha) - len(alpha.lstrip(b"\0"))
    return start, start + len(stripped)
