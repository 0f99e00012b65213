"""Krita's nodes: layers, groups and masks."""

from __future__ import annotations

import krita

from .cooperative_task import Steps

__all__ = [
    "active_node",
    "chosen_layers",
    "chosen_nodes",
    "hidden_document",
    "layer_of",
    "layers_in",
    "path_to",
    "settled",
]

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


def chosen_layers(document: krita.Document) -> list[krita.Node]:
    """The layers that are selected in the Layers docker, or whose masks are, from the lowest to the highest. What lies
    in a group that is chosen comes with it.
    """
    nodes = [layer_of(node) for node in chosen_nodes(document)]
    picked = {node.uniqueId() for node in nodes if node is not None}
    found, waiting = [], list(reversed(document.rootNode().childNodes()))
    while waiting:
        node = waiting.pop()
        if node.uniqueId() in picked:
            found.append(node)
        else:
            waiting.extend(reversed(node.childNodes()))
    return found


def layers_in(group: krita.Node) -> list[krita.Node]:
    """The layers of a group, without its masks, from the lowest to the highest."""
    return [node for node in group.childNodes() if not node.type().endswith("mask")]


def path_to(document: krita.Document, layer: krita.Node) -> list[int]:
    """Which of the root's layers holds a layer, which of that one's layers, and so on, down to the layer itself."""
    root = document.rootNode()
    path: list[int] = []
    while layer != root:
        parent = layer.parentNode() or root
        path.insert(0, layers_in(parent).index(layer))
        layer = parent
    return path


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
