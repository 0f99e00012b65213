"""What *Automatic* would come to now. The bridge decides by the selection, which moves without telling anybody."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import krita

from bridge.client import Bridge
from bridge.protocol.messages import Extent

from .inbox import Inbox
from .qt import QtCore, QtWidgets, Signal
from .selecting import bounds_of

__all__ = ["Forecast"]

_LOOK_MS = 500


class Forecast(QtCore.QObject):
    """Looks while ``watched`` is to be seen. ``known`` tells a mode, or None.

    ``planning`` gives what to plan with, by whether anything is selected.
    """

    known = Signal(object)

    def __init__(self, watched: QtWidgets.QWidget, planning: Callable[[bool], dict[str, Any]]) -> None:
        super().__init__(watched)
        self._watched = watched
        self._planning = planning
        self._bridge: Bridge | None = None
        self._asked: object = None
        self._planned = Inbox(self._tell)
        watched.destroyed.connect(self._planned.close)
        timer = QtCore.QTimer(self)
        timer.timeout.connect(self.look)
        timer.start(_LOOK_MS)

    def ask(self, bridge: Bridge | None) -> None:
        """This one knows; None: nobody does."""
        self._bridge, self._asked = bridge, None
        self.look()

    def look(self) -> None:
        """Ask, if anything is different from when it was asked last."""
        document = krita.Krita.instance().activeDocument() if self._watched.isVisible() else None
        if document is None or self._bridge is None:
            self._asked = None
            self.known.emit(None)
            return
        bounds = bounds_of(document)
        planned = self._planning(bounds is not None)
        question = (document.width(), document.height(), bounds, *planned.values())
        if question == self._asked:
            return
        self._asked = question
        if planned["kind"] != "fill":
            self.known.emit(planned["kind"])
            return
        try:
            canvas = Extent(document.width(), document.height())
            answer = self._bridge.plan_soon(canvas=canvas, selection=bounds, **planned)
        except Exception:  # noqa: BLE001 - pressing the button will say it
            self.known.emit(None)
        else:
            answer.add_done_callback(functools.partial(_answer, self._planned.send, question))

    def _tell(self, told: tuple[object, Future[Any]]) -> None:
        question, answer = told
        if question == self._asked:
            refused = answer.cancelled() or answer.exception() is not None
            self.known.emit(None if refused else answer.result().mode)


def _answer(send: Callable[[Any], None], question: object, answer: Future[Any]) -> None:
    send((question, answer))
