"""The mode that *Automatic* resolves to now. The bridge decides it by the selection; Krita has no signal for changes of
that, so it is polled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import krita

from bridge.client import Bridge
from bridge.protocol.messages import Extent, Planned, Rect

from .modes import AUTOMATIC, Repaints
from .qt import QtCore, QtWidgets, Signal
from .queued_callback import QueuedCallback
from .selections import bounds_of
from .strips import strips_of

__all__ = ["AutoMode"]

_POLL_MS = 500


class AutoMode(QtCore.QObject):
    """Polls while ``watched`` is visible. ``resolved`` has the mode, or None where it is not known.

    ``planning`` returns the fields for `plan`, by what would be repainted.
    """

    resolved = Signal(object)

    def __init__(self, watched: QtWidgets.QWidget, planning: Callable[[Repaints], dict[str, Any]]) -> None:
        super().__init__(watched)
        self._watched = watched
        self._planning = planning
        self._bridge: Bridge | None = None
        self._last_question: object = None
        self._planned = QueuedCallback(self._tell)
        watched.destroyed.connect(self._planned.close)
        timer = QtCore.QTimer(self)
        timer.timeout.connect(self.update)
        timer.start(_POLL_MS)

    def set_bridge(self, bridge: Bridge | None) -> None:
        """The bridge to ask; None: there is none."""
        self._bridge, self._last_question = bridge, None
        self.update()

    def update(self) -> None:
        """Ask the bridge, if anything has changed since the last time."""
        document = krita.Krita.instance().activeDocument() if self._watched.isVisible() else None
        if document is None or self._bridge is None:
            self._last_question = None
            self.resolved.emit(None)
            return
        bounds = bounds_of(document)
        planned = self._planning(_repaints(document, bounds))
        question = (document.width(), document.height(), bounds, *planned.values())
        if question == self._last_question:
            return
        self._last_question = question
        known = planned["mode"] if planned["kind"] == "fill" else planned["kind"]
        if known != AUTOMATIC:
            self.resolved.emit(known)
            return
        try:
            canvas = Extent(document.width(), document.height())
            answer = self._bridge.plan_soon(canvas=canvas, selection=bounds, **planned)
        except Exception:  # noqa: BLE001 - pressing the button will say it
            self.resolved.emit(None)
        else:
            answer.add_done_callback(functools.partial(_answer, self._planned.send, question))

    def _tell(self, told: tuple[object, Future[Planned]]) -> None:
        question, answer = told
        if question == self._last_question:
            refused = answer.cancelled() or answer.exception() is not None
            self.resolved.emit(None if refused else answer.result().mode)


def _repaints(document: krita.Document, bounds: Rect | None) -> Repaints:
    if bounds is not None:
        return Repaints.SELECTION
    return Repaints.CANVAS if strips_of(document) is None else Repaints.STRIPS


def _answer(send: Callable[[tuple[object, Future[Planned]]], None], question: object, answer: Future[Planned]) -> None:
    send((question, answer))
