"""A part of the docker that scrolls where there is too little room for it."""

from __future__ import annotations

import functools

from .qt import Qt, QtCore, QtWidgets

__all__ = ["Scrolled"]

_LEAST_ROWS = 5


class Scrolled(QtWidgets.QScrollArea):
    """As high as what is in it, or as there is room."""

    def __init__(self, content: QtWidgets.QWidget) -> None:
        super().__init__()
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidgetResizable(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Maximum)
        self.setWidget(content)
        content.installEventFilter(self)
        self._hidden: QtWidgets.QWidget | None = None

    def sizeHint(self) -> QtCore.QSize:
        return self.widget().sizeHint()

    def minimumSizeHint(self) -> QtCore.QSize:
        row = QtWidgets.QLineEdit().sizeHint().height() + 6
        return QtCore.QSize(self.widget().minimumSizeHint().width(), min(_LEAST_ROWS * row, self.sizeHint().height()))

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
