"""Recipes of layers, kept in the document itself: Krita has no data of a layer's own that a plug-in may set, but
annotations of a document, which ``.kra`` files store. Each is named by its layer's unique id, which they store too.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import krita

from bridge.client import Refused
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Recipe
from bridge.protocol.wire import decode_recipe

from .qt import QtCore
from .translation import _

__all__ = ["keep_recipe", "recipe_of"]

_TYPE = "paintbridge/recipe/{layer}.json"


def keep_recipe(document: krita.Document, layer: krita.Node, recipe: Recipe) -> None:
    """Keep how a layer was made, as JSON, with the same fields as on the wire."""
    content = json.dumps(asdict(recipe), ensure_ascii=False).encode()
    document.setAnnotation(_name(layer), "Paintbridge recipe", QtCore.QByteArray(content))


def recipe_of(document: krita.Document, layer: krita.Node | None) -> Recipe:
    """How a layer was made.

    Raises:
        Refused: no layer is given, it has no recipe, or that cannot be read.
    """
    name = "" if layer is None else _name(layer)
    if name not in document.annotationTypes():
        raise Refused(
            _("The active layer does not say how it was made."), _("Select a layer that Paintbridge has added.")
        )
    try:
        return decode_recipe(json.loads(bytes(memoryview(document.annotation(name)))))
    except (ValueError, BridgeError):
        raise Refused(
            _("How the active layer was made cannot be read."), _("Another version of Paintbridge may have added it.")
        ) from None


def _name(layer: krita.Node) -> str:
    return _TYPE.format(layer=layer.uniqueId().toString().strip("{}"))
