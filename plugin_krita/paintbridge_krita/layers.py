"""Results into a document, as paint layers."""

from __future__ import annotations

from collections.abc import Sequence

import krita

from bridge.client import ResultLayer

from .colors import ColorSpace
from .cooperative_task import Steps
from .nodes import active_node, hidden_document, layers_in
from .pixels import write
from .placement import Place
from .recipes import keep_recipe

__all__ = ["add_layers", "layer_name"]

_LONGEST_NAME = 60


def add_layers(
    document: krita.Document,
    place: Place,
    results: Sequence[ResultLayer],
    names: Sequence[str],
    group: str | None,
    *,
    activate: bool,
) -> Steps[None]:
    """Add results at a place, in the document's own colours, with their recipes: as a group of that name, in one undo
    step; with None, each by itself. ``activate``: the highest becomes the active layer; else the one that is stays so.
    """
    layers = []
    for result, name in zip(results, names):
        picture = result.picture
        layer = document.createNode(name, "paintlayer")
        yield from write(layer, result.data, picture.depth, result.x, result.y, picture.width, picture.height)
        layers.append(layer)
    # Filled before it is added: adding it is then the only undo step, and redo restores the pixels.
    active, below = None if activate else active_node(document), place.below
    for added in layers if group is None else [_grouped(document, layers, group)]:
        place.parent.addChildNode(added, below)
        below = added
    # A group's layers are copies: their ids are new.
    made = layers if group is None or below is None else layers_in(below)
    for layer, result in zip(made, results):
        keep_recipe(document, layer, result.recipe)
    # Krita adds them in the meantime; only then can one be activated.
    yield None
    # Krita itself activates what is added.
    active = below if activate else active
    if active is not None and document in krita.Krita.instance().documents():
        document.setActiveNode(active)


def layer_name(prompt: str, otherwise: str) -> str:
    """A layer is named by its prompt, in one line."""
    words = " ".join(prompt.split()) or otherwise
    return words if len(words) <= _LONGEST_NAME else words[: _LONGEST_NAME - 1].rstrip() + "…"


def _grouped(document: krita.Document, layers: Sequence[krita.Node], name: str) -> krita.Node:
    """A group, assembled in a hidden document: in the document itself each layer added to it would be an undo step."""
    space = ColorSpace.of(document)
    apart = hidden_document(document.width(), document.height(), space.model, space.depth, space.profile)
    try:
        group = apart.createGroupLayer(name)
        apart.rootNode().addChildNode(group, None)
        for layer in layers:
            group.addChildNode(layer, None)
        return group.clone()
    finally:
        apart.close()
