"""Adding pictures to their documents, one request after the other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Optional

import krita

from bridge.client import ResultLayer

from .cooperative_task import CooperativeTask, Steps
from .layers import add_layers, layer_name
from .placement import Place, place_of
from .qt import Qt, QtCore, QtGui, QtWidgets, Signal
from .translation import _

__all__ = ["Applying"]

_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class _Request:
    """``place``: None: where any picture would go by then."""

    items: Sequence[QtWidgets.QListWidgetItem]
    layers: Sequence[ResultLayer]
    document: krita.Document
    place: Optional[Place]
    grouped: bool
    at_once: bool


class Applying(QtCore.QObject):
    """``ended`` has the items of pictures that are in the document now; ``refused`` the reason why they are not, and a
    function that adds them to a given document.
    """

    ended = Signal(object)
    refused = Signal(object, object)

    def __init__(self, parent: QtCore.QObject) -> None:
        super().__init__(parent)
        self._waiting: deque[_Request] = deque()
        self._task: CooperativeTask | None = None

    @property
    def is_busy(self) -> bool:
        return self._task is not None

    def add(
        self,
        items: Sequence[QtWidgets.QListWidgetItem],
        layers: Sequence[ResultLayer],
        document: krita.Document,
        place: Place | None,
        *,
        grouped: bool,
        at_once: bool,
    ) -> None:
        """Add pictures. ``at_once``: not during a stroke, and the active layer stays the active one."""
        self._waiting.append(_Request(items, layers, document, place, grouped, at_once))
        self._next()

    def _next(self) -> None:
        if self._task is not None or not self._waiting:
            return
        request = self._waiting.popleft()
        self._task = CooperativeTask(_added(request))
        self._task.done.connect(lambda _nothing: self._end(request))
        self._task.failed.connect(lambda error: self._fail(request, error))
        self._task.start()

    def _end(self, request: _Request) -> None:
        self._task = None
        self.ended.emit(request.items)
        self._next()

    def _fail(self, request: _Request, error: Exception) -> None:
        self._task = None
        again: Callable[[krita.Document], None] = partial(self._again, request)
        self.refused.emit(error, again)
        self._next()

    def _again(self, request: _Request, document: krita.Document) -> None:
        self.add(request.items, request.layers, document, None, grouped=request.grouped, at_once=request.at_once)


def _added(request: _Request) -> Steps[None]:
    names = [layer_name(layer.recipe.settings.conditioning.prompt, _("Paintbridge")) for layer in request.layers]
    while request.at_once and _is_hand_down():
        yield lambda: time.sleep(_PAUSE_SECONDS)
    place = request.place or place_of(request.document)
    group = names[0] if request.grouped else None
    yield from add_layers(request.document, place, request.layers, names, group, activate=not request.at_once)


def _is_hand_down() -> bool:
    """Whether a button of mouse or pen is pressed: a new layer would end the stroke."""
    return QtGui.QGuiApplication.mouseButtons() != Qt.MouseButton.NoButton
