"""What the artist wants: the docker's fields, and their values by their names on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .qt import Qt, QtWidgets
from .words import _

__all__ = ["Form"]

_LARGEST_SEED = (1 << 31) - 1
_ANY_SEED = -1
_PROMPT_LINES = 4


class Form(QtWidgets.QWidget):
    """What the artist asks for."""

    def __init__(self) -> None:
        super().__init__()
        self._prompt = QtWidgets.QPlainTextEdit()
        self._prompt.setObjectName("paintbridge_prompt")
        self._prompt.setPlaceholderText(_("What is wanted, in English"))
        self._prompt.setTabChangesFocus(True)
        self._prompt.setFixedHeight(self._prompt.fontMetrics().lineSpacing() * (_PROMPT_LINES + 1))
        self._negative = QtWidgets.QLineEdit()
        self._negative.setObjectName("paintbridge_negative_prompt")
        self._negative.setPlaceholderText(_("What is not wanted"))
        self._mode = QtWidgets.QComboBox()
        self._mode.setObjectName("paintbridge_mode")
        for mode, title, words in (
            ("auto", _("Automatic"), _("Fill, or expand where the selection lies along an edge of the canvas")),
            ("fill", _("Fill"), _("Put something new in place of what is selected")),
            ("remove", _("Remove"), _("Let the surroundings grow together over what is selected")),
            ("add", _("Add"), _("Put something new on top of what is selected")),
            ("expand", _("Expand"), _("Go on painting beyond the edge of the picture")),
            ("background", _("Background"), _("Repaint everything but what is selected")),
        ):
            self._mode.addItem(title, mode)
            self._mode.setItemData(self._mode.count() - 1, words, Qt.ItemDataRole.ToolTipRole)
        self._strength = _number("strength", 1, 100, 100)
        self._strength.setSuffix(" %")
        self._strength.setToolTip(_("100 %: repaint freely; less: keep more of what is there"))
        self._checkpoint = QtWidgets.QComboBox()
        self._checkpoint.setObjectName("paintbridge_checkpoint")
        self.offer(())
        self._seed = _number("seed", _ANY_SEED, _LARGEST_SEED, _ANY_SEED)
        self._seed.setSpecialValueText(_("Another one each time"))
        self._seed.setToolTip(_("The same seed gives the same picture"))
        self._batch = _number("batch", 1, 16, 1)
        rows = QtWidgets.QFormLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow(self._prompt)
        rows.addRow(self._negative)
        rows.addRow(_("Mode"), self._mode)
        rows.addRow(_("Strength"), self._strength)
        rows.addRow(_("Checkpoint"), self._checkpoint)
        rows.addRow(_("Seed"), self._seed)
        rows.addRow(_("Number of pictures"), self._batch)

    def offer(self, checkpoints: Iterable[str]) -> None:
        """The checkpoints that the bridge has. The one that is chosen stays so, if it is there."""
        chosen = self._checkpoint.currentData()
        self._checkpoint.clear()
        self._checkpoint.addItem(_("The bridge's default"), None)
        for name in checkpoints:
            self._checkpoint.addItem(name, name)
        self._checkpoint.setCurrentIndex(max(self._checkpoint.findData(chosen), 0) if chosen else 0)

    def values(self) -> dict[str, Any]:
        """Fields of ``submit``."""
        return {
            "prompt": self._prompt.toPlainText(),
            "negative_prompt": self._negative.text(),
            "mode": self._mode.currentData(),
            "strength": self._strength.value() / 100,
            "checkpoint": self._checkpoint.currentData(),
            "seed": None if self._seed.value() == _ANY_SEED else self._seed.value(),
            "batch": self._batch.value(),
        }


def _number(name: str, least: int, most: int, value: int) -> QtWidgets.QSpinBox:
    box = QtWidgets.QSpinBox()
    box.setObjectName(f"paintbridge_{name}")
    box.setRange(least, most)
    box.setValue(value)
    return box
