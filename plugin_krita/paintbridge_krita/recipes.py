"""Recipes of layers, kept in the document itself: Krita has no data of a layer's own that a plug-in may set, but
annotations of a document, which ``.kra`` files store. Each is named by its layer's unique id.
"""

from __future__ import annotations

import json
from dataclasses import asdict

import krita

from bridge.protocol.messages import Recipe

from .qt import QtCore

__all__ = ["keep_recipe"]

_TYPE = "paintbridge/recipe/{layer}.json"


def keep_recipe(document: krita.Document, layer: krita.Node, recipe: Recipe) -> None:
    """Keep how a layer was made, as JSON, with the same fields as on the wire."""
    name = _TYPE.format(layer=layer.uniqueId().toString().strip("{}"))
    content = json.dumps(asdict(recipe), ensure_ascii=False).encode()
    document.setAnnotation(name, "Paintbridge recipe", QtCore.QByteArray(content))
