"""Scroll areas of the docker: of the form, and of the whole."""

from __future__ import annotations

import functools

from .qt import Qt, QtCore, QtGui, QtWidgets

__all__ = ["DockerScrollArea", "FormScrollArea"]

_LEAST_ROWS = 2


class _VerticalScrollArea(QtWidgets.QScrollArea):
    """Scrolls vertically only."""

    def __init__(self, content: QtWidgets.QWidget) -> None:
        super().__init__()
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        # A click beside the fields leaves the keys to the canvas.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(content)

    def minimumSizeHint(self) -> QtCore.QSize:
        row = QtWidgets.QLineEdit().sizeHint().height() + 6
        beside = self.verticalScrollBar().sizeHint().width()
        return QtCore.QSize(
            self.widget().minimumSizeHint().width() + beside, min(_LEAST_ROWS * row, self.sizeHint().height())
        )

    def sizeHint(self) -> QtCore.QSize:
        return self.widget().sizeHint()


class FormScrollArea(_VerticalScrollArea):
    """As high as its content, or as there is room."""

    def __init__(self, content: QtWidgets.QWidget) -> None:
        super().__init__(content)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Maximum)
        content.installEventFilter(self)
        self._hidden: QtWidgets.QWidget | None = None

    def sizeHint(self) -> QtCore.QSize:
        # Text that needs two lines in a narrow docker makes it higher.
        hint = super().sizeHint()
        return QtCore.QSize(hint.width(), max(hint.height(), self.widget().heightForWidth(self.width())))

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

    def reveal(self, part: QtWidgets.QWidget) -> None:
        """Scroll to a part that has just become larger, when there is room for it."""
        self._hidden = part

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if event.type() == QtCore.QEvent.Type.LayoutRequest:
            self.updateGeometry()
        elif event.type() == QtCore.QEvent.Type.Resize and self._hidden is not None:
            QtCore.QTimer.singleShot(0, functools.partial(self.ensureWidgetVisible, self._hidden))
            self._hidden = None
        return bool(super().eventFilter(watched, event))


class DockerScrollArea(_VerticalScrollArea):
    """All of a docker, one part below the other. A docker that could not be lower than all of its parts would make
    Krita's window higher than many screens. ``column`` is where they go.
    """

    def __init__(self) -> None:
        content = _Column()
        super().__init__(content)
        self.column = content.column


class _Column(QtWidgets.QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.column = QtWidgets.QVBoxLayout(self)
        self.column.setContentsMargins(2, 2, 2, 2)

    def heightForWidth(self, width: int) -> int:
        # As low as it can be: its own parts scroll first.
        return self.column.minimumHeightForWidth(width)
