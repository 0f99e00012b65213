"""Krita's nodes: layers, groups and masks."""

from __future__ import annotations

import krita

from .cooperative_task import Steps

__all__ = ["active_node", "chosen_nodes", "hidden_document", "layer_of", "place_above", "settled"]

_RESOLUTION = 72.0


def chosen_nodes(document: krita.Document) -> list[krita.Node]:
    """The nodes that are selected in the Layers docker; none where another document is active."""
    window = krita.Krita.instance().activeWindow()
    view = None if window is None else window.activeView()
    # A view returns its window's, which are those of the active document.
    return view.selectedNodes() if view is not None and view.document() == document else []


def active_node(document: krita.Document) -> krita.Node | None:
    """The layer or mask that is active. Where one is selected, it is that one: since Krita 5.3 ``Document.activeNode``
    handles events before it returns, among them steps of other jobs and the closing of documents.
    """
    chosen = chosen_nodes(document)
    return chosen[0] if len(chosen) == 1 else document.activeNode()


def layer_of(node: krita.Node | None) -> krita.Node | None:
    """The layer that a mask belongs to; None where no layer is active, as with the mask of the whole picture."""
    while node is not None and node.type().endswith("mask"):
        node = node.parentNode()
    return node if node is not None and node.parentNode() is not None else None


def place_above(document: krita.Document) -> tuple[krita.Node, krita.Node | None]:
    """The parent, and the node below, of a new layer above the active one: the picture must be seen where it is put, so
    that it goes above a group that is hidden, or that a mask rotates, scales or bends.
    """
    root = document.rootNode()
    node = layer_of(active_node(document))
    if node is None:
        return root, None
    above = node.parentNode() or root
    parent, below = above, node
    while above != root:
        group, above = above, above.parentNode() or root
        if not group.visible() or any(mask.type() == "transformmask" for mask in group.childNodes()):
            parent, below = above, group
    return parent, below


def hidden_document(width: int, height: int, model: str, depth: str, profile: str) -> krita.Document:
    """A document that is in no window, in which nothing is visible. The caller closes it."""
    document = krita.Krita.instance().createDocument(width, height, "", model, depth, profile, _RESOLUTION)
    document.setBatchmode(True)
    # A white layer. It is not removed: Krita would wait for that and handle events meanwhile.
    for node in document.rootNode().childNodes():
        node.setVisible(False)
    return document


def settled(document: krita.Document) -> Steps[None]:
    """Returns when Krita has computed all of a document.

    Krita waits by handling events, without the artist's input, inside the call: another script could close the
    document there, which crashes Krita. So it is asked to wait only when there is nothing to wait for.
    """
    while not document.tryBarrierLock():
        yield None
    document.unlock()
    document.waitForDone()
