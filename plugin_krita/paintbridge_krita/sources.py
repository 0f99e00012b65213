"""The layers that the model sees, read without changing the document."""

from __future__ import annotations

import krita

from bridge.client import Refused
from bridge.protocol.messages import Rect

from .colors import ColorSpace
from .cooperative_task import Steps
from .nodes import active_node, chosen_nodes, hidden_document, layer_of, settled
from .qt import QtCore
from .translation import _

__all__ = ["ACTIVE", "CHOSEN", "SOURCES", "VISIBLE", "read"]

VISIBLE, ACTIVE, CHOSEN = SOURCES = ("visible", "active", "chosen")


def read(document: krita.Document, source: str, area: Rect) -> Steps[tuple[QtCore.QByteArray, ColorSpace]]:
    """Returns what is visible, the active layer alone, or the layers that are chosen in the Layers docker; and their
    colours. It is all as it was at the first step.

    Raises:
        Refused: no layer is active, or chosen.
    """
    box = (area.x, area.y, area.width, area.height)
    if source == VISIBLE:
        # Not the document's own pixels: of a layer or mask that is isolated those are that one's alone, in its colours.
        return document.rootNode().projectionPixelData(*box), ColorSpace.of(document)
    if source == ACTIVE:
        node = layer_of(active_node(document))
        if node is None:
            raise Refused(_("No layer is active."), _("Select the layer to look at, then try again."))
        return node.projectionPixelData(*box), ColorSpace.of(node)
    space = ColorSpace.of(document)
    return (yield from _merged(document, space, _chosen(document), box)), space


def _chosen(document: krita.Document) -> list[krita.Node]:
    """From the lowest to the highest. What lies in a group that is chosen comes with it."""
    nodes = [layer_of(node) for node in chosen_nodes(document)]
    picked = {node.uniqueId() for node in nodes if node is not None}
    found, waiting = [], list(reversed(document.rootNode().childNodes()))
    while waiting:
        node = waiting.pop()
        if node.uniqueId() in picked:
            found.append(node)
        else:
            waiting.extend(reversed(node.childNodes()))
    if not found:
        raise Refused(_("No layer is chosen."), _("Select the layers to look at, then try again."))
    return found


def _merged(
    document: krita.Document, space: ColorSpace, nodes: list[krita.Node], box: tuple[int, int, int, int]
) -> Steps[QtCore.QByteArray]:
    """Copies of layers share their pixels with them, so that laying them into a document of their own costs little."""
    copies = [node.clone() for node in nodes]
    apart = hidden_document(document.width(), document.height(), space.model, space.depth, space.profile)
    try:
        for copy in copies:
            yield from settled(apart)
            copy.setVisible(True)
            apart.rootNode().addChildNode(copy, None)
        yield from settled(apart)
        return apart.pixelData(*box)
    finally:
        apart.close()
