"""A question before a window or a document is closed of which pictures have not been applied."""

from __future__ import annotations

from collections.abc import Callable

from .qt import QtCore, QtWidgets
from .translation import _

__all__ = ["LeavingQuestion"]

_Message = QtWidgets.QMessageBox


class LeavingQuestion(QtCore.QObject):
    """Asks when Krita's window is to be closed. ``waiting`` counts the pictures that would be lost."""

    def __init__(self, parent: QtCore.QObject, waiting: Callable[[], int]) -> None:
        super().__init__(parent)
        self._waiting = waiting
        self._window: QtWidgets.QWidget | None = None

    def watch(self, window: QtWidgets.QWidget | None) -> None:
        """Ask before this window is closed."""
        if window is None or window is self._window:
            return
        self._window = window
        window.installEventFilter(self)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if event.type() != QtCore.QEvent.Type.Close or watched is not self._window:
            return False
        count = self._waiting()
        if count == 0 or self._agrees(count):
            return False
        event.ignore()
        return True

    def _agrees(self, count: int) -> bool:
        words = _("Pictures that have not been applied: {count}. They are lost when this window is closed.")
        question = _Message(
            _Message.Icon.Question,
            "Paintbridge",
            words.format(count=count),
            _Message.StandardButton.Discard | _Message.StandardButton.Cancel,
            self._window,
        )
        question.setObjectName("paintbridge_leaving")
        question.setDefaultButton(_Message.StandardButton.Cancel)
        question.exec()
        answer = question.standardButton(question.clickedButton())
        question.deleteLater()
        return answer == _Message.StandardButton.Discard
