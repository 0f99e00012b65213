"""Strips along the canvas's sides that are transparent, as after the canvas has grown: where a picture can go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import krita

from .qt import QtCore

__all__ = ["Margins", "select_strips", "strips_of"]

# All bits of an opaque pixel's alpha, by Krita's names of depths.
_OPAQUE = {"U8": b"\xff", "U16": b"\xff\xff", "F16": b"\x00\x3c", "F32": b"\x00\x00\x80\x3f"}

_Line = tuple[int, int, int, int]


@dataclass(frozen=True)
class Margins:
    """The strips' widths, in pixels."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        return any((self.left, self.top, self.right, self.bottom))


def strips_of(document: krita.Document) -> Optional[Margins]:
    """The strips beside a picture that is an opaque rectangle; None: there are none. The ground behind a figure is no
    strip: what is there does not end in straight lines.
    """
    opaque = _OPAQUE[document.colorDepth()]
    canvas = QtCore.QRect(0, 0, document.width(), document.height())
    root = document.rootNode()
    # Asked twice a second: only then is Krita to look for the picture's bounds, which may take it a while.
    if not any(_is_all(root, line, bytes(len(opaque))) for line in _border(canvas)):
        return None
    picture = root.bounds().intersected(canvas)
    if picture.isEmpty() or not all(_is_all(root, line, opaque) for line in _border(picture)):
        return None
    left, top = picture.x(), picture.y()
    return Margins(left, top, canvas.width() - left - picture.width(), canvas.height() - top - picture.height())


def select_strips(document: krita.Document, margins: Margins) -> krita.Selection:
    """A selection of these strips; it is not the document's."""
    width, height = document.width(), document.height()
    selection, picture = krita.Selection(), krita.Selection()
    selection.select(0, 0, width, height, 255)
    inner = (width - margins.left - margins.right, height - margins.top - margins.bottom)
    picture.select(margins.left, margins.top, *inner, 255)
    selection.subtract(picture)
    return selection


def _border(area: QtCore.QRect) -> tuple[_Line, ...]:
    """The outermost rows and columns: x, y, width, height."""
    left, top, width, height = area.x(), area.y(), area.width(), area.height()
    return (
        (left, top, width, 1),
        (left, top + height - 1, width, 1),
        (left, top, 1, height),
        (left + width - 1, top, 1, height),
    )


def _is_all(root: krita.Node, line: _Line, alpha: bytes) -> bool:
    """Whether all pixels that are seen in a line have this alpha. It is the last channel in all of Krita's models."""
    count = line[2] * line[3]
    view = memoryview(root.projectionPixelData(*line))
    size, depth = len(view) // count, len(alpha)
    return all(bytes(view[size - depth + byte :: size]) == alpha[byte : byte + 1] * count for byte in range(depth))
