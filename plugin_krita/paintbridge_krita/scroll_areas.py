"""The docker's scroll area."""

from __future__ import annotations

import functools

from .qt import Qt, QtCore, QtWidgets

__all__ = ["DockerScrollArea"]

_LEAST_ROWS = 2


class DockerScrollArea(QtWidgets.QScrollArea):
    """All of a docker, one part below the other; it scrolls vertically. A docker that could not be lower than all of
    its parts would make Krita's window higher than many screens. ``column`` is where they go.
    """

    def __init__(self) -> None:
        content = _Column()
        super().__init__()
        self.column = content.column
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

    def reveal(self, part: QtWidgets.QWidget) -> None:
        """Scroll to a part that has just become larger, once there is room for it."""
        QtCore.QTimer.singleShot(0, functools.partial(self.ensureWidgetVisible, part))


class _Column(QtWidgets.QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.column = QtWidgets.QVBoxLayout(self)
        self.column.setContentsMargins(2, 2, 2, 2)

    def heightForWidth(self, width: int) -> int:
        # As low as it can be: the pictures take what there is to spare.
        return self.column.minimumHeightForWidth(width)
