"""The docker's row of buttons that begin a job."""

from __future__ import annotations

from .fields import named
from .ordering import FOUR, Ordering
from .qt import QtWidgets
from .translation import _

__all__ = ["JobButtons", "row_of"]

_BESIDE_WORDS = 16


class JobButtons(QtWidgets.QWidget):
    """*Generate*, that for four pictures, and *Remove*."""

    def __init__(self, ordering: Ordering) -> None:
        super().__init__()
        generate = named(QtWidgets.QPushButton(_("Generate")), "generate")
        four = named(QtWidgets.QPushButton(f"× {FOUR}"), "four", _("Four pictures, each with another seed"))
        four.setMinimumWidth(four.fontMetrics().horizontalAdvance(four.text()) + _BESIDE_WORDS)
        remove = named(QtWidgets.QPushButton(_("Remove")), "remove")
        remove.setToolTip(_("Let the surroundings grow together over what is selected; no prompt is needed"))
        generate.clicked.connect(lambda _on: ordering.generate())
        four.clicked.connect(lambda _on: ordering.four())
        remove.clicked.connect(lambda _on: ordering.remove())
        row = row_of(generate, four, remove)
        row.setContentsMargins(0, 0, 0, 0)
        self.setLayout(row)


def row_of(first: QtWidgets.QWidget, *others: QtWidgets.QWidget) -> QtWidgets.QHBoxLayout:
    """Widgets beside one another, of which the first takes what room there is."""
    row = QtWidgets.QHBoxLayout()
    row.setSpacing(2)
    row.addWidget(first, 1)
    for widget in others:
        row.addWidget(widget)
    return row
