"""From a press of a button to an order: what is to be painted, of the document as it is then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import krita

from bridge.client import Refused

from .cooperative_task import CooperativeTask
from .expand_canvas import ExpandDialog, grow_canvas
from .form import Form
from .job_target import JobTarget
from .modes import Repaints
from .painting import Order
from .qt import QtCore, QtWidgets, Signal
from .selections import selection_of
from .strips import Margins, strips_of
from .translation import _

__all__ = ["FOUR", "Ordering"]

FOUR = 4
"""How many pictures one button orders."""


class Ordering(QtCore.QObject):
    """``ordered`` has an order to send, ``failed`` the reason why there is none."""

    ordered = Signal(object)
    failed = Signal(object)

    def __init__(self, docker: QtWidgets.QWidget, form: Form) -> None:
        super().__init__(docker)
        self._docker = docker
        self._form = form
        self._growing: CooperativeTask | None = None

    def generate(self) -> None:
        """With the form's values."""
        self._order(self._form.values)

    def four(self) -> None:
        """As many pictures as the button says."""
        self._order(lambda repaints: {**self._form.values(repaints), "batch": FOUR})

    def remove(self) -> None:
        """Let the surroundings grow together over what is selected. It asks for no prompt, and is for once."""
        try:
            target = JobTarget.of(krita.Krita.instance().activeDocument(), self._form.source)
            if target.selection is None:
                # All of the canvas would become grey: nothing would be left to go by.
                raise Refused(
                    _("Nothing is selected, so there is nothing to remove."), _("Select what is to go, then try again.")
                )
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self.failed.emit(error)
        else:
            self.ordered.emit(Order(target, self._form.removal()))

    def expand(self) -> None:
        """Ask how far the canvas is to grow, let it grow, and paint what is new."""
        document = krita.Krita.instance().activeDocument()
        if document is None:
            self._order(self._form.expansion)
            return
        dialog = ExpandDialog(self._docker, document.width(), document.height())
        if dialog.exec():
            self._growing = CooperativeTask(grow_canvas(document, dialog.margins))
            self._growing.done.connect(self._paint_what_is_new)
            self._growing.failed.connect(self._fail_to_grow)
            self._growing.start()
        dialog.deleteLater()

    def _paint_what_is_new(self, margins: Margins) -> None:
        self._growing = None
        self._order(self._form.expansion, margins)

    def _fail_to_grow(self, error: Exception) -> None:
        self._growing = None
        self.failed.emit(error)

    def _order(self, values: Callable[[Repaints], dict[str, Any]], strips: Margins | None = None) -> None:
        """``values`` of what is repainted; ``strips`` that have just been added to the canvas."""
        document = krita.Krita.instance().activeDocument()
        try:
            if strips is None and document is not None and self._form.may_expand and selection_of(document) is None:
                strips = strips_of(document)
            target = JobTarget.of(document, self._form.source, strips)
            if self._form.expands and target.repaints is Repaints.CANVAS:
                self.expand()
                return
            order = Order(target, values(target.repaints))
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self.failed.emit(error)
        else:
            self._form.prompt.remember()
            self.ordered.emit(order)
