"""The layers that the model sees, read without changing the document."""

from __future__ import annotations

from collections.abc import Sequence

import krita

from bridge.client import Refused
from bridge.protocol.messages import Rect

from .colors import ColorSpace
from .cooperative_task import Steps
from .nodes import active_node, chosen_layers, hidden_document, layer_of, layers_in, path_to, settled
from .qt import QtCore
from .translation import _

__all__ = ["ACTIVE", "BELOW", "CHOSEN", "SOURCES", "VISIBLE", "read"]

VISIBLE, BELOW, ACTIVE, CHOSEN = SOURCES = ("visible", "below", "active", "chosen")


def read(document: krita.Document, source: str, area: Rect) -> Steps[tuple[QtCore.QByteArray, ColorSpace]]:
    """Returns what is visible, that without what lies above the active layer, the active layer alone, or the layers
    that are chosen in the Layers docker; and their colours. It is all as it was at the first step.

    Raises:
        Refused: no layer is active, or chosen.
    """
    box = (area.x, area.y, area.width, area.height)
    if source == VISIBLE:
        # Not the document's own pixels: of a layer or mask that is isolated those are that one's alone, in its colours.
        return document.rootNode().projectionPixelData(*box), ColorSpace.of(document)
    space = ColorSpace.of(document)
    if source == CHOSEN:
        copies = [node.clone() for node in _chosen(document)]
        for copy in copies:
            copy.setVisible(True)
        return (yield from _merged(document, space, copies, box, ())), space
    node = layer_of(active_node(document))
    if node is None:
        raise Refused(_("No layer is active."), _("Select the layer to look at, then try again."))
    if source == ACTIVE:
        return node.projectionPixelData(*box), ColorSpace.of(node)
    path = path_to(document, node)
    copies = [layer.clone() for layer in layers_in(document.rootNode())[: path[0] + 1]]
    return (yield from _merged(document, space, copies, box, path[1:])), space


def _chosen(document: krita.Document) -> list[krita.Node]:
    found = chosen_layers(document)
    if not found:
        raise Refused(_("No layer is chosen."), _("Select the layers to look at, then try again."))
    return found


def _merged(
    document: krita.Document,
    space: ColorSpace,
    copies: list[krita.Node],
    box: tuple[int, int, int, int],
    highest: Sequence[int],
) -> Steps[QtCore.QByteArray]:
    """Copies of layers share their pixels with them, so that laying them into a document of their own costs little.
    ``highest`` is the way from the last of them, a group, down to a layer that nothing is to be seen above of.
    """
    apart = hidden_document(document.width(), document.height(), space.model, space.depth, space.profile)
    try:
        for copy in copies:
            yield from settled(apart)
            apart.rootNode().addChildNode(copy, None)
        yield from settled(apart)
        parent = layers_in(apart.rootNode())[-1]
        for index in highest:
            layers = layers_in(parent)
            for above in layers[index + 1 :]:
                above.setVisible(False)
            parent = layers[index]
        # Krita does not compute by itself what is below a layer that is hidden.
        apart.refreshProjection()
        yield from settled(apart)
        return apart.pixelData(*box)
    finally:
        apart.close()
