"""The docker's message with an optional action, as KMessageWidget."""

from __future__ import annotations

from collections.abc import Callable

from .fields import named
from .icons import set_icon
from .qt import Qt, QtWidgets
from .translation import _

__all__ = ["MessageWidget", "label"]


class MessageWidget(QtWidgets.QWidget):
    """A message that can be dismissed, with an optional button below it."""

    def __init__(self) -> None:
        super().__init__()
        self._text = label("message")
        self._action = QtWidgets.QPushButton()
        self._action.setObjectName("paintbridge_message_action")
        self._action.clicked.connect(self._accept)
        self._accepted: Callable[[], None] | None = None
        close = named(QtWidgets.QToolButton(), "dismiss", _("Put this message away"))
        set_icon(close, "dismiss")
        close.setAutoRaise(True)
        close.clicked.connect(lambda _on: self.show_message(""))
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(2)
        row.addWidget(self._text, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self._action)
        self.show_message("")

    def show_message(self, text: str, action: str = "", accepted: Callable[[], None] | None = None) -> None:
        """Replace the message; an empty one hides it. ``accepted`` is called when the action's button is pressed."""
        self._accepted = accepted
        self._text.setText(text)
        self._action.setText(action)
        self._action.setVisible(accepted is not None)
        self.setVisible(bool(text))

    def _accept(self) -> None:
        accepted = self._accepted
        self.show_message("")
        if accepted is not None:
            accepted()


def label(name: str) -> QtWidgets.QLabel:
    """A label that wraps and whose text can be copied: commands are among it."""
    words = QtWidgets.QLabel()
    words.setObjectName(f"paintbridge_{name}")
    words.setWordWrap(True)
    words.setTextFormat(Qt.TextFormat.PlainText)
    words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return words
