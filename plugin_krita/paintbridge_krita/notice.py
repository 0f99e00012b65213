"""What the docker has to say, and what it offers to do about it."""

from __future__ import annotations

from typing import Callable

from .fields import named
from .icons import dress
from .qt import Qt, QtWidgets
from .words import _

__all__ = ["Notice", "label"]


class Notice(QtWidgets.QWidget):
    """Words, which can be put away, and below them a button, if there is something to offer."""

    def __init__(self) -> None:
        super().__init__()
        self._words = label("message")
        self._offer = QtWidgets.QPushButton()
        self._offer.setObjectName("paintbridge_offer")
        self._offer.clicked.connect(self._accept)
        self._accepted: Callable[[], None] | None = None
        close = named(QtWidgets.QToolButton(), "dismiss", _("Put this message away"))
        dress(close, "dismiss")
        close.setAutoRaise(True)
        close.clicked.connect(lambda _on: self.say(""))
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(2)
        row.addWidget(self._words, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self._offer)
        self.say("")

    def say(self, words: str, offer: str = "", accepted: Callable[[], None] | None = None) -> None:
        """Show words in place of what is there; none hide it. The offer goes with them."""
        self._accepted = accepted
        self._words.setText(words)
        self._offer.setText(offer)
        self._offer.setVisible(accepted is not None)
        self.setVisible(bool(words))

    def _accept(self) -> None:
        accepted = self._accepted
        self.say("")
        if accepted is not None:
            accepted()


def label(name: str) -> QtWidgets.QLabel:
    """Words that wrap, and can be copied: commands are among them."""
    words = QtWidgets.QLabel()
    words.setObjectName(f"paintbridge_{name}")
    words.setWordWrap(True)
    words.setTextFormat(Qt.TextFormat.PlainText)
    words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return words
