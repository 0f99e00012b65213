"""Previews and results as images for the overlay."""

from __future__ import annotations

from bridge.client import Pixels, ResultLayer
from bridge.protocol.messages import Preview, Rect

from .overlay import OverlayImage
from .painting import Order
from .qt import Qt, QtGui

__all__ = ["overlay_of_preview", "overlay_of_result"]

_Image = QtGui.QImage
_Mode = QtGui.QPainter.CompositionMode


def overlay_of_preview(order: Order, preview: Preview) -> OverlayImage:
    """A job's preview, transparent outside the selection."""
    size = preview.width, preview.height
    image = _Image(preview.data, *size, 3 * preview.width, _Image.Format.Format_RGB888)
    image = image.convertToFormat(_Image.Format.Format_ARGB32_Premultiplied)
    assert order.sent is not None, "a preview comes after the job was sent"
    selection = order.sent["selection"]
    if selection is not None:
        inverse = order.values["mode"] == "background"
        _cut(image, selection, _Mode.CompositionMode_DestinationOut if inverse else _Mode.CompositionMode_DestinationIn)
    return OverlayImage(order.target.document, image, order.sent["context"])


def overlay_of_result(order: Order, layer: ResultLayer, image: QtGui.QImage) -> OverlayImage:
    """A result as it would lie in the document. ``image``: how it looks."""
    picture = layer.picture
    area = Rect(layer.x, layer.y, picture.width, picture.height)
    return OverlayImage(order.target.document, image.convertToFormat(_Image.Format.Format_ARGB32_Premultiplied), area)


def _cut(image: QtGui.QImage, coverage: Pixels, mode: QtGui.QPainter.CompositionMode) -> None:
    mask = _Image(coverage.data, coverage.width, coverage.height, coverage.width, _Image.Format.Format_Alpha8)
    painter = QtGui.QPainter(image)
    painter.setCompositionMode(mode)
    # Nearest neighbor: the mask may be as large as the canvas, and scaling it must take no time.
    picked = mask.scaled(image.size(), Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.FastTransformation)
    painter.drawImage(0, 0, picked)
    painter.end()
