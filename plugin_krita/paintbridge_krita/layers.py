"""Results into the document, as paint layers."""

from __future__ import annotations

import krita

from bridge.client import ResultLayer

from .pixels import ColorSpace, from_wire
from .scene import Scene

__all__ = ["add_layer", "layer_name"]

_LONGEST_NAME = 60


def add_layer(scene: Scene, result: ResultLayer, name: str) -> None:
    """Add a result above the active layer, in the document's own colours, in one undo step.

    Raises:
        Refused: the document was closed, or has another size.
    """
    scene.check()
    document, picture = scene.document, result.picture
    size = picture.width, picture.height
    pixels = from_wire(result.data, picture.depth, ColorSpace.of(document), *size)
    layer = document.createNode(name, "paintlayer")
    # Filled before it is in the document: so adding it is the one step, and redo brings the pixels back.
    layer.setPixelData(pixels, result.x, result.y, *size)
    above = _layer_of(document.activeNode())
    parent = above.parentNode() if above is not None else document.rootNode()
    parent.addChildNode(layer, above)
    document.setActiveNode(layer)
    document.refreshProjection()


def layer_name(prompt: str, otherwise: str) -> str:
    """A layer is named by its prompt, in one line."""
    words = " ".join(prompt.split()) or otherwise
    return words if len(words) <= _LONGEST_NAME else words[: _LONGEST_NAME - 1].rstrip() + "…"


def _layer_of(node: krita.Node | None) -> krita.Node | None:
    """The layer that a mask belongs to; None where no layer is active, as with the mask of the whole picture."""
    while node is not None and node.type().endswith("mask"):
        node = node.parentNode()
    return node if node is not None and node.parentNode() is not None else None
