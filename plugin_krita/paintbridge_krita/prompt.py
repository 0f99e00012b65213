"""The prompt field, with a history of prompts that were sent."""

from __future__ import annotations

from collections.abc import Callable

from . import settings
from .fields import named
from .icons import set_icon
from .qt import Qt, QtGui, QtWidgets, Signal
from .shortcut_override import TextShortcutOverride
from .translation import _

__all__ = ["Prompt"]

_LINES = 3
_REMEMBERED = 30
_SHOWN = 60
_SETTING = "prompts"


class Prompt(QtWidgets.QWidget):
    """``sent``: Ctrl+Enter. Ctrl+Up and Ctrl+Down, and the button beside it, bring back what was sent before."""

    sent = Signal()
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._text = named(_Text(), "prompt")
        self._text.setPlaceholderText(_("What is wanted, in English"))
        self._text.setToolTip(_("Ctrl+Enter generates; Ctrl+Up and Ctrl+Down bring back earlier prompts"))
        self._text.sent.connect(self.sent)
        self._text.stepped.connect(self._step)
        self._text.textChanged.connect(self.changed)
        self._earlier = named(QtWidgets.QToolButton(), "history", _("Earlier prompts"))
        set_icon(self._earlier, "history")
        self._earlier.setAutoRaise(True)
        self._earlier.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QtWidgets.QMenu(self._earlier)
        menu.aboutToShow.connect(lambda: self._list(menu))
        self._earlier.setMenu(menu)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(self._text, 1)
        row.addWidget(self._earlier, 0, Qt.AlignmentFlag.AlignTop)
        # How far back Ctrl+Up has gone; -1: at what is being written, kept in `_draft`.
        self._back = -1
        self._draft = ""

    def field_value(self) -> str:
        return self._text.toPlainText()

    def set_field_value(self, words: str) -> None:
        self._text.setPlainText(words)
        self._text.moveCursor(QtGui.QTextCursor.MoveOperation.End)

    def remember(self) -> None:
        """It was sent: the newest of the earlier ones."""
        self._back = -1
        words = self.field_value()
        if words.strip():
            earlier = [words, *(one for one in _earlier() if one != words)]
            settings.save(_SETTING, earlier[:_REMEMBERED])

    def _step(self, back: int) -> None:
        earlier = _earlier()
        if self._back < 0:
            self._draft = self.field_value()
        self._back = min(max(self._back + back, -1), len(earlier) - 1)
        self.set_field_value(self._draft if self._back < 0 else earlier[self._back])

    def _list(self, menu: QtWidgets.QMenu) -> None:
        menu.clear()
        for words in _earlier():
            line = " ".join(words.split())
            shown = line if len(line) <= _SHOWN else line[: _SHOWN - 1].rstrip() + "…"
            menu.addAction(shown.replace("&", "&&")).triggered.connect(
                lambda _on, words=words: self.set_field_value(words)
            )
        if menu.isEmpty():
            menu.addAction(_("Nothing has been sent yet")).setEnabled(False)


class _Text(TextShortcutOverride, QtWidgets.QPlainTextEdit):
    sent = Signal()
    stepped = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setTabChangesFocus(True)
        margins = 2 * (self.frameWidth() + int(self.document().documentMargin()))
        self.setFixedHeight(self.fontMetrics().lineSpacing() * _LINES + margins)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        action = self._action_of(event)
        if action is not None:
            action()
        else:
            super().keyPressEvent(event)

    def _action_of(self, event: QtGui.QKeyEvent) -> Callable[[], None] | None:
        if not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return None
        actions: dict[int, Callable[[], None]] = {
            Qt.Key.Key_Return: self.sent.emit,
            Qt.Key.Key_Enter: self.sent.emit,
            Qt.Key.Key_Up: lambda: self.stepped.emit(1),
            Qt.Key.Key_Down: lambda: self.stepped.emit(-1),
        }
        return actions.get(event.key())


def _earlier() -> list[str]:
    nothing: list[object] = []
    return [words for words in settings.load(_SETTING, nothing) if isinstance(words, str)]
