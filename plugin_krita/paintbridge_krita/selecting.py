"""What is selected: the local selection of the active layer, where it has one, or else the document's."""

from __future__ import annotations

import krita

__all__ = ["selection_of"]


def selection_of(document: krita.Document) -> krita.Selection | None:
    """A copy; None: nothing is selected, which stands for everything."""
    mask = _local_mask(document.activeNode())
    selection = document.selection() if mask is None else mask.selection()
    return None if selection is None else selection.duplicate()


def _local_mask(node: krita.Node | None) -> krita.Node | None:
    """As Krita's own tools have it: the mask that is active itself, or one that is shown below the active layer."""
    if node is None:
        return None
    if node.type() == "selectionmask":
        return node
    # The root's is the document's own.
    below = node.childNodes() if node.parentNode() is not None else []
    return next((mask for mask in reversed(below) if mask.type() == "selectionmask" and mask.visible()), None)
