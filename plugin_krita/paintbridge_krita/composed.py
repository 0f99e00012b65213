"""How a document looks with a picture among its layers, without changing it: computed by Krita from copies, in a hidden
document.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.client import ResultLayer
from bridge.protocol.messages import Rect

from .colors import ColorSpace, wire_depth
from .cooperative_task import Steps
from .nodes import hidden_document, layers_in, path_to, settled
from .pixel_formats import opaque_where_seen, to_qimage
from .pixels import to_wire, write
from .placement import Place
from .qt import Qt, QtCore, QtGui

__all__ = ["Composed", "composed"]

# How different two pictures are is judged on so many pixels a side.
_SAMPLE = 48
# Of 255, in the mean over what the picture covers. Soft edges are blended in the document's own depth: that is less.
_DIFFERENT = 4.0


@dataclass(frozen=True)
class Composed:
    """``image`` is what the document shows where the picture has any alpha, and transparent elsewhere. ``unseen``: it
    shows nothing of the picture; ``as_painted``: it looks as above everything.
    """

    image: QtGui.QImage
    unseen: bool
    as_painted: bool


def composed(place: Place, result: ResultLayer, picture: QtGui.QImage) -> Steps[Composed]:
    """Returns how the document of a place looks with a result there. ``picture``: the result, as :func:`to_qimage` has
    it.
    """
    document = place.document
    area = Rect(result.x, result.y, result.picture.width, result.picture.height)
    space = ColorSpace.of(document)
    before = document.rootNode().projectionPixelData(area.x, area.y, area.width, area.height)
    after = yield from _merged(place, space, result, area)
    unseen = bool(after == before)
    plain = yield from _image(before, space, area)
    seen = yield from _image(after, space, area)
    painter = QtGui.QPainter(plain)
    painter.drawImage(0, 0, picture)
    painter.end()
    as_painted = _difference(plain, seen, picture) < _DIFFERENT
    covered: QtGui.QImage = yield lambda: opaque_where_seen(seen, picture)
    return Composed(covered, unseen, as_painted)


def _image(data: QtCore.QByteArray, space: ColorSpace, area: Rect) -> Steps[QtGui.QImage]:
    wire = yield from to_wire(data, space, area.width, area.height)
    image: QtGui.QImage = yield lambda: to_qimage(wire, wire_depth(space), area.width, area.height)
    return image


def _merged(place: Place, space: ColorSpace, result: ResultLayer, area: Rect) -> Steps[QtCore.QByteArray]:
    document, root = place.document, place.document.rootNode()
    path = [] if place.parent == root else path_to(document, place.parent)
    above = None if place.below is None else layers_in(place.parent).index(place.below)
    copies = [node.clone() for node in layers_in(root)]
    apart = hidden_document(document.width(), document.height(), space.model, space.depth, space.profile)
    try:
        own = len(layers_in(apart.rootNode()))
        for copy in copies:
            yield from settled(apart)
            apart.rootNode().addChildNode(copy, None)
        yield from settled(apart)
        parent = apart.rootNode()
        for level, index in enumerate(path):
            parent = layers_in(parent)[index + (0 if level else own)]
        layer = apart.createNode("picture", "paintlayer")
        depth = result.picture.depth
        yield from write(layer, result.data, depth, area.x, area.y, area.width, area.height)
        below = None if above is None else layers_in(parent)[above + (0 if path else own)]
        parent.addChildNode(layer, below)
        yield None
        yield from settled(apart)
        return apart.rootNode().projectionPixelData(area.x, area.y, area.width, area.height)
    finally:
        apart.close()


def _difference(one: QtGui.QImage, other: QtGui.QImage, picture: QtGui.QImage) -> float:
    """The mean difference of two images' colours where a picture is opaque, 0..255."""
    size = QtCore.QSize(_SAMPLE, _SAMPLE)
    small = [
        image.scaled(
            size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.FastTransformation
        ).convertToFormat(QtGui.QImage.Format.Format_RGBA8888)
        for image in (one, other, picture)
    ]
    first, second, covered = (bytes(image.constBits().asstring(4 * _SAMPLE * _SAMPLE)) for image in small)
    places = [at for at in range(0, len(covered), 4) if covered[at + 3] == 255]
    if not places:
        return 0.0
    total = sum(abs(first[at + channel] - second[at + channel]) for at in places for channel in range(3))
    return total / (3 * len(places))
