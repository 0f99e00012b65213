"""A question before a window or a document is closed while pictures have not been applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

import krita

from .qt import QtCore, QtWidgets, sip
from .translation import _

__all__ = ["LeavingQuestion"]

_Message = QtWidgets.QMessageBox


class LeavingQuestion(QtCore.QObject):
    """``waiting`` counts the pictures that have not been applied: those of a document, or with None all."""

    def __init__(self, parent: QtCore.QObject, waiting: Callable[[Optional[krita.Document]], int]) -> None:
        super().__init__(parent)
        self._waiting = waiting
        self._window: QtWidgets.QWidget | None = None
        self._shown: list[tuple[QtWidgets.QWidget, krita.Document]] = []
        # So many pictures may be lost: who closes the window is not asked again for each document in it.
        self._agreed = 0

    def watch(self, window: QtWidgets.QWidget | None, document: krita.Document | None) -> None:
        """Ask before this window is closed, and the active document in it."""
        if window is None:
            return
        if window is not self._window:
            self._window = window
            window.installEventFilter(self)
        area = window.findChild(QtWidgets.QMdiArea)
        view = None if area is None else area.activeSubWindow()
        self._shown = [(one, of) for one, of in self._shown if not sip.isdeleted(one)]
        if view is not None and document is not None and all(one is not view for one, _of in self._shown):
            self._shown.append((view, document))
            view.installEventFilter(self)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if event.type() != QtCore.QEvent.Type.Close or self._may_close(watched):
            return False
        event.ignore()
        return True

    def _may_close(self, watched: QtCore.QObject) -> bool:
        if watched is self._window:
            count = self._waiting(None)
            words = _("Pictures that have not been applied: {count}. They are lost when this window is closed.")
            if count and not self._agrees(words.format(count=count), _Message.StandardButton.Discard):
                return False
            self._agreed = count
            return True
        document = next((of for one, of in self._shown if one is watched), None)
        views = krita.Krita.instance().views()
        if document is None or sum(view.document() == document for view in views) > 1:
            return True
        count = self._waiting(document)
        if count <= self._agreed:
            return True
        words = _("Pictures of this document that have not been applied: {count}. They stay in the list without it.")
        return self._agrees(words.format(count=count), _Message.StandardButton.Close)

    def _agrees(self, words: str, button: QtWidgets.QMessageBox.StandardButton) -> bool:
        buttons = button | _Message.StandardButton.Cancel
        question = _Message(_Message.Icon.Question, "Paintbridge", words, buttons, self._window)
        question.setObjectName("paintbridge_leaving")
        question.setDefaultButton(_Message.StandardButton.Cancel)
        question.exec()
        answer = question.standardButton(question.clickedButton())
        question.deleteLater()
        return answer == button
