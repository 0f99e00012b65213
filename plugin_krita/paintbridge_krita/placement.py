"""Where in a document's layers a picture goes: directly above the active layer, unless it would not be seen there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

import krita

from .nodes import active_node, chosen_layers, layer_of, layers_in
from .translation import _

__all__ = ["Place", "place_of"]

_OPAQUE = 255


@dataclass(frozen=True)
class Place:
    """In ``parent``, above ``below``; None: above all that is in it. ``words`` say why, where that is not directly
    above the active layer.
    """

    document: krita.Document
    parent: krita.Node
    below: Optional[krita.Node]
    words: str = ""

    @property
    def is_covered(self) -> bool:
        """Whether a picture there may look otherwise than above everything: visible layers lie above it, or a group
        that it is in is blended or masked.
        """
        return any(True for _node in self._above())

    @property
    def state(self) -> object:
        """Another value when another place, or another look of what lies above it, is likely."""
        seen = [(node.uniqueId(), node.opacity(), node.blendingMode()) for node in self._above()]
        return (self.parent.uniqueId(), None if self.below is None else self.below.uniqueId(), self.words, seen)

    def above_group(self) -> Optional[Place]:
        """Above the outermost group that this place is in, or above everything; None: this one is above everything."""
        root = self.document.rootNode()
        if self.parent == root:
            words = _("Below other layers it would not be seen: it goes on top of all of them.")
            return Place(self.document, root, None, words) if self.is_covered else None
        words = _("Inside the group “{name}” it would not be seen: it goes above that group.")
        return _above_group(self.document, _outermost(root, self.parent), words)

    def on_top(self) -> Place:
        """Above everything."""
        return Place(self.document, self.document.rootNode(), None, _("It goes on top of all layers."))

    def _above(self) -> Iterator[krita.Node]:
        """What changes how a picture looks here: visible layers above it, and groups with a look of their own."""
        root = self.document.rootNode()
        parent, below = self.parent, self.below
        while True:
            if below is not None:
                layers = layers_in(parent)
                yield from (layer for layer in layers[layers.index(below) + 1 :] if layer.visible())
            if parent == root:
                return
            if _has_own_look(parent):
                yield parent
            parent, below = parent.parentNode() or root, parent


def place_of(document: krita.Document) -> Place:
    """The place for a picture now. Of several chosen layers it is above the highest; in a group that is hidden, or that
    a mask rotates, scales or bends, it is above that.
    """
    root, chosen = document.rootNode(), chosen_layers(document)
    layer = chosen[-1] if len(chosen) > 1 else layer_of(active_node(document))
    if layer is None:
        return Place(document, root, None)
    words = _("Several layers are chosen: it goes above the highest of them.") if len(chosen) > 1 else ""
    place, group = Place(document, layer.parentNode() or root, layer, words), layer.parentNode() or root
    while group != root:
        if not group.visible():
            place = _above_group(document, group, _("The group “{name}” is hidden: it goes above that group."))
        elif any(mask.type() == "transformmask" for mask in group.childNodes()):
            place = _above_group(document, group, _("A mask transforms the group “{name}”: it goes above that group."))
        group = group.parentNode() or root
    return place


def _above_group(document: krita.Document, group: krita.Node, words: str) -> Place:
    return Place(document, group.parentNode() or document.rootNode(), group, words.format(name=group.name()))


def _outermost(root: krita.Node, group: krita.Node) -> krita.Node:
    above = group.parentNode() or root
    while above != root:
        group, above = above, above.parentNode() or root
    return group


def _has_own_look(group: krita.Node) -> bool:
    masks = (node for node in group.childNodes() if node.type().endswith("mask"))
    masked = any(mask.visible() and mask.type() != "selectionmask" for mask in masks)
    return masked or group.opacity() != _OPAQUE or group.blendingMode() != "normal"
