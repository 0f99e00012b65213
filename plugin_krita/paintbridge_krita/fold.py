"""Widgets that are folded away until somebody wants them."""

from __future__ import annotations

from .fields import named
from .qt import Qt, QtWidgets, Signal

__all__ = ["Fold"]


class Fold(QtWidgets.QWidget):
    """A button with an arrow that shows and hides ``folded``. ``unfolded``: it has just been shown."""

    unfolded = Signal()

    def __init__(self, name: str, title: str) -> None:
        super().__init__()
        self._button = named(QtWidgets.QToolButton(), name)
        self._button.setText(title)
        self._button.setCheckable(True)
        self._button.setAutoRaise(True)
        self._button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._button.toggled.connect(self._show)
        self.folded = QtWidgets.QWidget()
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._button)
        column.addWidget(self.folded)
        self._show(False)

    def _show(self, on: bool) -> None:
        self.folded.setVisible(on)
        self._button.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        if on:
            self.unfolded.emit()
