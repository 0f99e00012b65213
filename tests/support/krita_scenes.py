"""Documents for the tests in Krita: a lively picture, in layers and groups, with selections of all kinds."""

from __future__ import annotations

import base64

import numpy as np
from krita_docker import KritaDocker

__all__ = ["KritaScene"]

_FUNCTIONS = """
def picture(data, width, height):
    return QtCore.QByteArray(base64.b64decode(data)), 0, 0, width, height
def add(name, parent=None, kind="paintlayer"):
    node = document().createNode(name, kind)
    (parent or document().rootNode()).addChildNode(node, None)
    return node
def node(name):
    return document().nodeByName(name)
def select_mask(data, x, y, width, height):
    selection = krita.Selection()
    selection.setPixelData(QtCore.QByteArray(base64.b64decode(data)), x, y, width, height)
    document().setSelection(selection)
    document().waitForDone()
def said():
    return "\\n".join(label.text() for label in docker.findChildren(QtWidgets.QLabel) if label.isVisible())
def tree(of=None):
    return [[child.name(), tree(child)] for child in (of or document().rootNode()).childNodes()
            if not child.type().endswith("mask")]
def act(name):
    # Krita lets undo and redo go unheard while it still computes.
    document().waitForDone()
    Krita.action(name).trigger()
    document().waitForDone()
def choose_layers(*names):
    rows = next(tree for tree in window.findChildren(QtWidgets.QTreeView) if tree.objectName() == "listLayers")
    flags = QtCore.QItemSelectionModel.SelectionFlag
    rows.expandAll()
    found = [rows.model().match(rows.model().index(0, 0), 0, name, 1,
             QtCore.Qt.MatchFlag.MatchExactly | QtCore.Qt.MatchFlag.MatchRecursive)[0] for name in names]
    rows.selectionModel().setCurrentIndex(found[0], flags.ClearAndSelect | flags.Rows)
    for index in found[1:]:
        rows.selectionModel().select(index, flags.Select | flags.Rows)
def layer_pixels(name):
    return packed(node(name).pixelData(0, 0, document().width(), document().height()))
None
"""


class KritaScene:
    """A document of ``size`` (width, height) with a picture in it that has no two areas alike; 8 bits, sRGB.
    ``recomputed``: look only when Krita has recomputed everything.
    """

    size = (400, 300)
    recomputed = False

    def __init__(self, docker: KritaDocker) -> None:
        self.docker = docker
        self.ask = docker.ask
        width, height = self.size
        self._shape = (height, width, 4)
        docker.open(f"made({width}, {height}, 'RGBA', 'U8', SRGB)")
        self.ask(_FUNCTIONS)
        rows, columns = np.mgrid[0:height, 0:width]
        noise = np.random.default_rng(7).integers(0, 40, self._shape)
        colour = np.stack([columns * 200 // width, rows * 200 // height, (rows + columns) % 200, rows * 0], axis=2)
        picture = (colour + noise).astype(np.uint8)
        picture[..., 3] = 255
        data = base64.b64encode(picture.tobytes()).decode()
        self.ask(f"document().rootNode().childNodes()[0].setPixelData(*picture({data!r}, {width}, {height}))")
        self.ask("document().refreshProjection()")

    def select(self, coverage: np.ndarray, x: int = 0, y: int = 0) -> None:
        """Select softly: (h, w) u8, at a place on the canvas."""
        data = base64.b64encode(coverage.astype(np.uint8).tobytes()).decode()
        self.ask(f"select_mask({data!r}, {x}, {y}, {coverage.shape[1]}, {coverage.shape[0]})")

    def seen(self) -> np.ndarray:
        """The projection, (h, w, 4) u8."""
        if self.recomputed:
            self.ask("document().refreshProjection()")
        return self.docker.pixels("projection()", self._shape)

    def layer(self, name: str) -> np.ndarray:
        """A layer of its own, as :meth:`seen`."""
        return self.docker.pixels(f"layer_pixels({name!r})", self._shape)

    def tree(self) -> list[object]:
        """Names of the layers, each with those below it."""
        found: list[object] = self.ask("tree()")
        return found
