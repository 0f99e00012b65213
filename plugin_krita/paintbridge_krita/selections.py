"""The selection in effect: the local selection mask of the active layer, if it has one, or the document's."""

from __future__ import annotations

from typing import cast

import krita

from bridge.protocol.messages import Rect

from .nodes import active_node, chosen_nodes

__all__ = ["bounds_of", "selection_of"]


def selection_of(document: krita.Document) -> krita.Selection | None:
    """A copy; None: nothing is selected, which means the whole canvas."""
    selection = _selection(document)
    return None if selection is None else selection.duplicate()


def bounds_of(document: krita.Document) -> Rect | None:
    """Bounds of the selection, without a copy; None also where it is empty."""
    selection = _selection(document)
    if selection is None or not (selection.width() and selection.height()):
        return None
    return Rect(selection.x(), selection.y(), selection.width(), selection.height())


def _selection(document: krita.Document) -> krita.Selection | None:
    chosen = chosen_nodes(document)
    # Only one of those that are chosen is active. Which one need not be asked where none has a selection of its own.
    without = chosen and all(_local_mask(node) is None for node in chosen)
    mask = None if without else _local_mask(active_node(document))
    return document.selection() if mask is None else mask.selection()


def _local_mask(node: krita.Node | None) -> krita.SelectionMask | None:
    """As Krita's own tools have it: the mask that is active itself, or one that is shown below the active layer."""
    if node is None:
        return None
    if node.type() == "selectionmask":
        return cast("krita.SelectionMask", node)
    # The root's is the document's own.
    below = node.childNodes() if node.parentNode() is not None else []
    shown = (mask for mask in reversed(below) if mask.type() == "selectionmask" and mask.visible())
    return cast("krita.SelectionMask | None", next(shown, None))
