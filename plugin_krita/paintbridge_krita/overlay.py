"""Pictures over the canvas, beside the document: in no layer, no undo step, no file.

A transparent widget lies over the canvas and follows its zoom, pan, rotation and mirroring. Strokes go through it.
"""

from __future__ import annotations

from dataclasses import dataclass

import krita

from bridge.protocol.messages import Rect

from .qt import Qt, QtCore, QtGui, QtWidgets, sip

__all__ = ["Overlay", "Sight"]

# From here on the canvas itself shows pixels as squares.
_SQUARES_FROM = 2.0
_DIRECT = Qt.FindChildOption.FindDirectChildrenOnly


@dataclass(frozen=True)
class Sight:
    """A picture to be seen over an area of a document."""

    document: krita.Document
    image: QtGui.QImage
    area: Rect


class Overlay(QtCore.QObject):
    """What is shown over the canvas of one window. Of another document than the one that is looked at it shows nothing,
    and waits.
    """

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._sight: Sight | None = None
        self._lifted = False
        self._film: _Film | None = None

    def look_at(self, canvas: krita.Canvas | None, window: QtWidgets.QWidget) -> None:
        """Another view is looked at now, or none."""
        view = None if canvas is None else canvas.view()
        viewport = None if view is None else _viewport(window)
        if self._film is not None and not sip.isdeleted(self._film):
            self._film.hide()
            self._film.deleteLater()
        self._film = None if viewport is None else _Film(viewport, view)
        self._update()

    def show(self, sight: Sight | None) -> None:
        """Show a picture in place of the one that is shown; None: none."""
        self._sight = sight
        self._update()

    def lift(self, lifted: bool) -> None:
        """Take it off for a moment, to see what is below, and lay it on again."""
        self._lifted = lifted
        self._update()

    def _update(self) -> None:
        # With its view it is deleted before another one is looked at.
        if self._film is not None and not sip.isdeleted(self._film):
            self._film.show_sight(None if self._lifted else self._sight)


class _Film(QtWidgets.QWidget):
    """Lies over one view's canvas."""

    def __init__(self, viewport: QtWidgets.QWidget, view: krita.View) -> None:
        super().__init__(viewport)
        self.setObjectName("paintbridge_overlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self._view = view
        self._sight: Sight | None = None
        self._followed: QtGui.QTransform | None = None
        for widget in (viewport, *viewport.findChildren(QtWidgets.QWidget, options=_DIRECT)):
            if widget is not self:
                widget.installEventFilter(self)
        self.hide()

    def show_sight(self, sight: Sight | None) -> None:
        self._sight = sight if sight is not None and self._view.document() == sight.document else None
        self.setVisible(self._sight is not None)
        if self._sight is not None:
            self._fit()
            self.update()

    def eventFilter(self, _watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """The canvas is painted anew whenever it is moved: so is this."""
        if self._sight is not None:
            if event.type() == QtCore.QEvent.Type.Resize:
                self._fit()
            elif event.type() == QtCore.QEvent.Type.Paint and self._placing() != self._followed:
                self.update()
        return False

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        if self._sight is None:
            return
        self._followed = placing = self._placing()
        area = self._sight.area
        painter = QtGui.QPainter(self)
        painter.setTransform(placing)
        zoom = (placing.m11() ** 2 + placing.m12() ** 2) ** 0.5
        # A preview has fewer pixels than the canvas: squares would be none of the canvas's.
        smooth = zoom < _SQUARES_FROM or self._sight.image.width() < area.width
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(QtCore.QRectF(area.x, area.y, area.width, area.height), self._sight.image)
        painter.end()

    def _fit(self) -> None:
        self.setGeometry(self.parentWidget().rect())
        self.raise_()

    def _placing(self) -> QtGui.QTransform:
        """From the document's pixels to the widget's."""
        from_image, _ = self._view.flakeToImageTransform().inverted()
        return from_image * self._view.flakeToCanvasTransform()


def _viewport(window: QtWidgets.QWidget) -> QtWidgets.QWidget | None:
    """What the canvas of the view that is looked at lies in."""
    views = window.findChild(QtWidgets.QMdiArea)
    shown = None if views is None else views.activeSubWindow()
    scrolled = None if shown is None else shown.findChild(QtWidgets.QAbstractScrollArea)
    return None if scrolled is None else scrolled.viewport()
