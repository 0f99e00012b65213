"""Color conversion by Krita itself, in a hidden document. On the user interface's thread: no other may call Krita."""

from __future__ import annotations

from types import TracebackType

import krita

from .colors import ColorSpace
from .nodes import hidden_document
from .qt import QtCore

__all__ = ["ColorConverter"]

# What has been converted stays in the document's undo history.
_PARTS_PER_DOCUMENT = 32


class ColorConverter:
    """From one space to another, part by part; use it as a context manager. A document takes Krita a moment to make and
    to close, so that one serves many parts.
    """

    def __init__(self, source: ColorSpace, target: ColorSpace, *, needed: bool = True) -> None:
        self._source = source
        self._target = target
        self._needed = needed
        self._document: krita.Document | None = None
        self._parts = 0

    def convert(self, data: QtCore.QByteArray, width: int, height: int) -> QtCore.QByteArray:
        """The same pixels in the target's colours."""
        if not self._needed:
            return data
        document = self._next_document()
        layer = document.createNode("part", "paintlayer")
        layer.setPixelData(data, 0, 0, width, height)
        document.rootNode().addChildNode(layer, None)
        _convert(document, self._target)
        converted = layer.pixelData(0, 0, width, height)
        layer.remove()
        # Without a layer there is nothing to convert.
        _convert(document, self._source)
        return converted

    def __enter__(self) -> ColorConverter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _next_document(self) -> krita.Document:
        if self._document is None or self._parts == _PARTS_PER_DOCUMENT:
            self._close()
            space = self._source
            self._document = hidden_document(1, 1, space.model, space.depth, space.profile)
            self._parts = 0
        self._parts += 1
        return self._document

    def _close(self) -> None:
        if self._document is not None:
            self._document.close()
            self._document = None


def _convert(document: krita.Document, space: ColorSpace) -> None:
    document.setColorSpace(space.model, space.depth, space.profile)
    document.waitForDone()
