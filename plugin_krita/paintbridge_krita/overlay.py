"""Pictures over the canvas, beside the document: in no layer, no undo step, no file.

A transparent widget lies on the canvas, below all that Krita itself lays on it, and follows its zoom, pan, rotation and
mirroring. Strokes go through it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import krita

from bridge.protocol.messages import Rect

from .qt import Qt, QtCore, QtGui, QtWidgets, sip

__all__ = ["Overlay", "Sight"]

# From here on the canvas itself shows pixels as squares.
_SQUARES_FROM = 2.0
# So many units of a widget are whole pixels on screens of 125, 150 and 175 %.
_WHOLE = 4
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
        self._place: tuple[krita.View, QtWidgets.QWidget] | None = None

    def look_at(self, canvas: krita.Canvas | None, window: QtWidgets.QWidget) -> None:
        """Another view is looked at now, or none."""
        view = None if canvas is None else canvas.view()
        if self._there:
            self._film.hide()
            self._film.deleteLater()
        self._film = None
        self._place = None if view is None else (view, window)
        self._renew()

    def show(self, sight: Sight | None) -> None:
        """Show a picture in place of the one that is shown; None: none."""
        self._sight = sight
        self._update()

    def lift(self, lifted: bool) -> None:
        """Take it off for a moment, to see what is below, and lay it on again."""
        self._lifted = lifted
        self._update()

    @property
    def _there(self) -> bool:
        # With its view it is deleted before another one is looked at.
        return self._film is not None and not sip.isdeleted(self._film)

    def _renew(self) -> None:
        """Lay a film on the canvas, if there is none."""
        if self._there or self._place is None:
            return
        view, window = self._place
        canvas = None if sip.isdeleted(window) else _canvas(window)
        if canvas is not None:
            self._film = _Film(canvas, view)
            # Krita replaces a canvas, and deletes what lies on it, when another way to draw it is set.
            self._film.destroyed.connect(self._renew_soon)
        self._update()

    def _renew_soon(self) -> None:
        QtCore.QTimer.singleShot(0, self._renew)

    def _update(self) -> None:
        if self._there:
            self._film.show_sight(None if self._lifted else self._sight)


class _Film(QtWidgets.QWidget):
    """Lies on one view's canvas."""

    def __init__(self, canvas: QtWidgets.QWidget, view: krita.View) -> None:
        super().__init__(canvas)
        self.setObjectName("paintbridge_overlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self._view = view
        self._sight: Sight | None = None
        self._followed: QtGui.QTransform | None = None
        canvas.installEventFilter(self)
        # Krita's palette and its bar at the selection lie on the canvas too.
        self.lower()
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
        painter = QtGui.QPainter(self)
        if self._needs_straight_alpha():
            self._draw_straight(painter, placing)
        else:
            self._draw(painter, placing)
        painter.end()

    def _draw(self, painter: QtGui.QPainter, placing: QtGui.QTransform) -> None:
        area = self._sight.area
        painter.setTransform(placing, True)
        zoom = (placing.m11() ** 2 + placing.m12() ** 2) ** 0.5
        # A preview has fewer pixels than the canvas: squares would be none of the canvas's.
        smooth = zoom < _SQUARES_FROM or self._sight.image.width() < area.width
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(QtCore.QRectF(area.x, area.y, area.width, area.height), self._sight.image)

    def _needs_straight_alpha(self) -> bool:
        """Whether the window's pixels are laid over an OpenGL canvas by straight alpha. On Wayland Qt keeps those of a
        window without an alpha channel, such as Krita 6 asks for with 10 bits, in a format that has none, and so does
        not take them for premultiplied, which they are.
        """
        handle = self.window().windowHandle()
        on_wayland = QtGui.QGuiApplication.platformName().startswith("wayland")
        return (
            on_wayland
            and self.parentWidget().inherits("QOpenGLWidget")
            and handle is not None
            and not handle.format().hasAlpha()
        )

    def _draw_straight(self, painter: QtGui.QPainter, placing: QtGui.QTransform) -> None:
        """As straight alpha, whatever the painter takes it for."""
        area = self._sight.area
        shown = placing.mapRect(QtCore.QRectF(area.x, area.y, area.width, area.height)).toAlignedRect()
        shown = shown.adjusted(-1, -1, 1, 1).intersected(self.rect())
        shown.setTopLeft(QtCore.QPoint(shown.x() // _WHOLE * _WHOLE, shown.y() // _WHOLE * _WHOLE))
        if shown.isEmpty():
            return
        ratio = self.devicePixelRatioF()
        size = QtCore.QSize(math.ceil(shown.width() * ratio), math.ceil(shown.height() * ratio))
        image = QtGui.QImage(size, QtGui.QImage.Format.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(ratio)
        image.fill(Qt.GlobalColor.transparent)
        inner = QtGui.QPainter(image)
        inner.translate(-shown.x(), -shown.y())
        self._draw(inner, placing)
        inner.end()
        straight = image.convertToFormat(QtGui.QImage.Format.Format_ARGB32)
        straight.reinterpretAsFormat(QtGui.QImage.Format.Format_ARGB32_Premultiplied)
        painter.setCompositionMode(QtGui.QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(shown.topLeft(), straight)

    def _fit(self) -> None:
        self.setGeometry(self.parentWidget().rect())

    def _placing(self) -> QtGui.QTransform:
        """From the document's pixels to the widget's."""
        from_image, _ = self._view.flakeToImageTransform().inverted()
        return from_image * self._view.flakeToCanvasTransform()


def _canvas(window: QtWidgets.QWidget) -> QtWidgets.QWidget | None:
    """The widget that shows the document of the view that is looked at."""
    views = window.findChild(QtWidgets.QMdiArea)
    shown = None if views is None else views.activeSubWindow()
    scrolled = None if shown is None else shown.findChild(QtWidgets.QAbstractScrollArea)
    # Krita's own name for it depends on whether it is drawn by OpenGL. It is alone there.
    return None if scrolled is None else scrolled.viewport().findChild(QtWidgets.QWidget, options=_DIRECT)
