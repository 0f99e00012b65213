"""*Expand Canvas*: the dialog that asks how far the canvas is to grow on each side, and growing it."""

from __future__ import annotations

import krita

from bridge.client import Refused

from .cooperative_task import Steps
from .fields import Choice, named
from .nodes import settled
from .qt import Qt, QtWidgets
from .shortcut_override import TextShortcutOverride
from .strips import Margins
from .translation import _

__all__ = ["ExpandDialog", "grow_canvas"]

_LARGEST = 1 << 15
_USUAL = 25


class ExpandDialog(QtWidgets.QDialog):
    """``margins`` once it is accepted."""

    def __init__(self, parent: QtWidgets.QWidget, width: int, height: int) -> None:
        super().__init__(parent)
        self.setObjectName("paintbridge_expand_dialog")
        self.setWindowTitle(_("Expand Canvas"))
        self._size = {"left": width, "right": width, "top": height, "bottom": height}
        titles = {"left": _("Left"), "right": _("Right"), "top": _("Top"), "bottom": _("Bottom")}
        self._sides = {side: named(_Side(), side, _("How far the canvas grows on this side")) for side in titles}
        self._unit = named(Choice(), "expand_unit", _("What the four sides are measured in"))
        self._unit.add("percent", _("Percent"), _("Of the picture's width or height"))
        self._unit.add("pixels", _("Pixels"))
        buttons = QtWidgets.QDialogButtonBox(
            QtWidgets.QDialogButtonBox.StandardButton.Ok | QtWidgets.QDialogButtonBox.StandardButton.Cancel,
            Qt.Orientation.Horizontal,
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self._accept = buttons.button(QtWidgets.QDialogButtonBox.StandardButton.Ok)
        rows = QtWidgets.QFormLayout()
        for side, title in titles.items():
            self._sides[side].setValue(_USUAL)
            self._sides[side].valueChanged.connect(lambda _value: self._accept.setEnabled(bool(self.margins)))
            rows.addRow(title, self._sides[side])
        rows.addRow(_("Measured in"), self._unit)
        column = QtWidgets.QVBoxLayout(self)
        column.addLayout(rows)
        column.addWidget(buttons)

    @property
    def margins(self) -> Margins:
        """In pixels."""
        lengths = {side: box.value() for side, box in self._sides.items()}
        if self._unit.field_value() == "percent":
            lengths = {side: round(length * self._size[side] / 100) for side, length in lengths.items()}
        return Margins(**lengths)


class _Side(TextShortcutOverride, QtWidgets.QSpinBox):
    def __init__(self) -> None:
        super().__init__()
        self.setRange(0, _LARGEST)


def grow_canvas(document: krita.Document, margins: Margins) -> Steps[Margins]:
    """Make a document's canvas larger, in one undo step. Returns the margins, when Krita is done.

    Raises:
        Refused: the document was closed meanwhile.
    """
    width = document.width() + margins.left + margins.right
    height = document.height() + margins.top + margins.bottom
    document.resizeImage(-margins.left, -margins.top, width, height)
    while True:
        yield None
        if document not in krita.Krita.instance().documents():
            raise Refused(_("The document was closed meanwhile."), _("Open it again, then try again."))
        if (document.width(), document.height()) == (width, height):
            break
    yield from settled(document)
    return margins
