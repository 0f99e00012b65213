"""Pictures over the canvas that are not in the document: no layer, no undo step, not in its file.

A transparent child widget of the canvas, below Krita's own, follows its zoom, pan, rotation and mirroring. It ignores
the mouse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import krita

from bridge.protocol.messages import Rect

from .qt import Qt, QtCore, QtGui, QtWidgets, Signal, sip

__all__ = ["Overlay", "OverlayImage"]

# From this zoom on Krita shows pixels as squares.
_SQUARES_FROM = 2.0
# Multiples of this many widget units are whole pixels at scales of 125, 150 and 175 %.
_WHOLE = 4
_DIRECT = Qt.FindChildOption.FindDirectChildrenOnly


@dataclass(frozen=True)
class OverlayImage:
    """A picture over an area of a document."""

    document: krita.Document
    image: QtGui.QImage
    area: Rect


class Overlay(QtCore.QObject):
    """Shows a picture over the canvas of one window, while its document is the active one."""

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._image: OverlayImage | None = None
        self._hidden = False
        self._lifted = False
        self._widget: _OverlayWidget | None = None
        self._view_and_window: tuple[krita.View, QtWidgets.QWidget] | None = None

    def set_canvas(self, canvas: krita.Canvas | None, window: QtWidgets.QWidget | None) -> None:
        """The canvas of the active view; None: there is none."""
        view = None if canvas is None else canvas.view()
        widget = self._living_widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
        self._widget = None
        self._view_and_window = None if view is None or window is None else (view, window)
        self._recreate()

    def show(self, image: OverlayImage | None) -> None:
        """Show a picture in place of the one that is shown; None: none."""
        self._lifted = False
        self.replace(image)

    def replace(self, image: OverlayImage | None) -> None:
        """Show a newer state of the picture that is shown; it stays hidden if a pen has come down."""
        self._image = image
        self._update()

    def set_hidden(self, hidden: bool) -> None:
        """Hide the picture for now, or show it again."""
        self._hidden = hidden
        self._update()

    def toggle(self) -> None:
        """Hide the picture, or show it again."""
        self._lifted = not self._lifted
        self._update()

    def focus_canvas(self) -> None:
        """Give the keyboard to the canvas."""
        widget = self._living_widget()
        if widget is not None:
            widget.canvas.setFocus()

    def _living_widget(self) -> _OverlayWidget | None:
        # It is deleted with its view, before another view becomes active.
        return None if self._widget is None or sip.isdeleted(self._widget) else self._widget

    def _recreate(self) -> None:
        """Create the widget, if there is none."""
        if self._living_widget() is not None or self._view_and_window is None:
            return
        view, window = self._view_and_window
        canvas = None if sip.isdeleted(window) else _canvas(window)
        if canvas is not None:
            self._widget = _OverlayWidget(canvas, view)
            self._widget.pen_down.connect(self._lift)
            # Krita replaces the canvas, with its children, when the settings select another renderer.
            self._widget.destroyed.connect(self._recreate_soon)
        self._update()

    def _lift(self) -> None:
        """Whoever paints wants to see the document. The next picture that is chosen is shown again."""
        self._lifted = True
        self._update()

    def _recreate_soon(self) -> None:
        QtCore.QTimer.singleShot(0, self._recreate)

    def _update(self) -> None:
        widget = self._living_widget()
        if widget is not None:
            widget.show_image(None if self._hidden or self._lifted else self._image)


class _OverlayWidget(QtWidgets.QWidget):
    """The widget on one view's canvas."""

    pen_down = Signal()

    def __init__(self, canvas: QtWidgets.QWidget, view: krita.View) -> None:
        super().__init__(canvas)
        self.setObjectName("paintbridge_overlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.canvas = canvas
        self._view = view
        self._image: OverlayImage | None = None
        self._followed: QtGui.QTransform | None = None
        canvas.installEventFilter(self)
        # Krita's popup palette and selection actions bar are children of the canvas too.
        self.lower()
        self.hide()

    def show_image(self, image: OverlayImage | None) -> None:
        self._image = image if image is not None and self._view.document() == image.document else None
        self.setVisible(self._image is not None)
        if self._image is not None:
            self._fit()
            self.update()

    def eventFilter(self, _watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """Follows the canvas, which is repainted whenever it is moved."""
        if self._image is not None:
            if event.type() == QtCore.QEvent.Type.TabletPress:
                self.pen_down.emit()
            elif event.type() == QtCore.QEvent.Type.Resize:
                self._fit()
            elif event.type() == QtCore.QEvent.Type.Paint and self._transform() != self._followed:
                self.update()
        return False

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        if self._image is None:
            return
        self._followed = transform = self._transform()
        painter = QtGui.QPainter(self)
        if self._needs_straight_alpha():
            self._draw_straight_alpha(painter, transform, self._image)
        else:
            self._draw(painter, transform, self._image)
        painter.end()

    def _draw(self, painter: QtGui.QPainter, transform: QtGui.QTransform, shown: OverlayImage) -> None:
        area = shown.area
        painter.setTransform(transform, True)
        zoom = (transform.m11() ** 2 + transform.m12() ** 2) ** 0.5
        # A preview has fewer pixels than the canvas: its squares would not be the canvas's.
        smooth = zoom < _SQUARES_FROM or shown.image.width() < area.width
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(QtCore.QRectF(area.x, area.y, area.width, area.height), shown.image)

    def _needs_straight_alpha(self) -> bool:
        """Whether Qt composes this widget over an OpenGL canvas with straight alpha. On Wayland Qt stores the pixels of
        a window without an alpha channel (Krita 6 asks for such a one with 10 bits) as RGB32, and takes them for
        straight alpha although they are premultiplied.
        """
        handle = self.window().windowHandle()
        on_wayland = QtGui.QGuiApplication.platformName().startswith("wayland")
        return (
            on_wayland
            and self.canvas.inherits("QOpenGLWidget")
            and handle is not None
            and not handle.format().hasAlpha()
        )

    def _draw_straight_alpha(self, painter: QtGui.QPainter, transform: QtGui.QTransform, drawn: OverlayImage) -> None:
        """Draw with straight alpha, whatever the painter's format says."""
        area = drawn.area
        shown = transform.mapRect(QtCore.QRectF(area.x, area.y, area.width, area.height)).toAlignedRect()
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
        self._draw(inner, transform, drawn)
        inner.end()
        straight = image.convertToFormat(QtGui.QImage.Format.Format_ARGB32)
        straight.reinterpretAsFormat(QtGui.QImage.Format.Format_ARGB32_Premultiplied)
        painter.setCompositionMode(QtGui.QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(shown.topLeft(), straight)

    def _fit(self) -> None:
        self.setGeometry(self.canvas.rect())

    def _transform(self) -> QtGui.QTransform:
        """From the document's pixels to the widget's."""
        from_image, _ = self._view.flakeToImageTransform().inverted()
        return from_image * self._view.flakeToCanvasTransform()


def _canvas(window: QtWidgets.QWidget) -> QtWidgets.QWidget | None:
    """The canvas widget of the active view."""
    area = window.findChild(QtWidgets.QMdiArea)
    shown = None if area is None else area.activeSubWindow()
    scrolled = None if shown is None else shown.findChild(QtWidgets.QAbstractScrollArea)
    # Its class depends on whether OpenGL is used. It is the only child there.
    return None if scrolled is None else scrolled.viewport().findChild(QtWidgets.QWidget, options=_DIRECT)
