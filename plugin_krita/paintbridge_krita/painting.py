"""One job, from the document as it is to its pictures, without waiting: what is asked of the bridge is answered by
signals on the user interface's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from bridge.client import Bridge, BridgeClosed, JobCancelled, JobResult
from bridge.client.job import JobUpdate
from bridge.protocol.messages import ContextChoice, Planned, Rect, ResultFormat

from .flow import Flow, Steps
from .inbox import Inbox
from .packing import image_of
from .qt import QtCore, QtGui, Signal
from .scene import Scene
from .sending import Sending

__all__ = ["Order", "Painting"]

# Of the values, these go into `plan` too.
_PLANNED = ("kind", "mode", "checkpoint", "grow", "feather")


@dataclass(frozen=True)
class Order:
    """What is wanted where. ``values`` are the docker's, by their names on the wire, with ``context`` as the kind of
    choice; ``sent`` is what was read from the document for them, None until then.
    """

    scene: Scene
    values: dict[str, Any]
    sent: dict[str, Any] | None = None

    def again(self) -> Order:
        """The same pixels and values, with another seed."""
        return Order(self.scene, {**self.values, "seed": None}, self.sent)


class Painting(QtCore.QObject):
    """A job under way. ``progressed`` tells its events. It ends with one of ``painted`` (the result, and each of its
    layers as a picture for the screen), ``failed``, and neither where it was cancelled; and then with ``ended``. The
    order is as it was sent.
    """

    progressed = Signal(object, object)
    painted = Signal(object, object, object)
    failed = Signal(object, object)
    ended = Signal(object)

    def __init__(self, bridge: Bridge, order: Order) -> None:
        super().__init__()
        self._bridge = bridge
        self.order = order
        self._sending: Sending | None = None
        self._flow: Flow | None = None
        self._result: JobResult | None = None
        self._planned = Inbox(self._read)
        self._heard = Inbox(self._tell)
        self._answered = Inbox(self._take)

    def start(self) -> None:
        """Raises BridgeError for values that cannot be, and BridgeClosed."""
        if self.order.sent is not None:
            self._submit()
            return
        scene, values = self.order.scene, self.order.values
        shared = {name: values[name] for name in _PLANNED}
        choice = ContextChoice(values["context"])
        planned = self._bridge.plan_soon(canvas=scene.canvas, selection=scene.bounds, context=choice, **shared)
        planned.add_done_callback(self._planned.send)

    def cancel(self) -> None:
        """End it now, whatever still comes of it."""
        if self._flow is not None:
            self._flow.stop()
        if self._sending is not None:
            self._sending.cancel()
        self._end()

    def _read(self, planned: Future[Planned]) -> None:
        # Not raised: its traceback would hold this object as long as anybody holds the error.
        error = BridgeClosed() if planned.cancelled() else planned.exception()
        if error is None:
            self._run(self._reading(planned.result().context), self._submit)
        else:
            self._fail(error)

    def _reading(self, context: Rect) -> Steps:
        scene = self.order.scene
        # First and at once, as the artist sees it now.
        selection = scene.coverage(context)
        picture = yield from scene.picture(context)
        sent = {
            "canvas": scene.canvas,
            "context": context,
            "picture": picture,
            "selection": selection,
            "result": ResultFormat(picture.depth),
        }
        self.order = Order(scene, self.order.values, sent)

    def _run(self, steps: Steps, then: Callable[[Any], None]) -> None:
        self._flow = Flow(steps)
        self._flow.done.connect(then)
        self._flow.failed.connect(self._fail)
        self._flow.start()

    def _submit(self, _nothing: object = None) -> None:
        values = {**self.order.values, **self.order.sent}
        self._sending = Sending(self._bridge, values, self._heard.send, self._answered.send)
        self._sending.start()

    def _tell(self, event: JobUpdate) -> None:
        self.progressed.emit(self, event)

    def _take(self, outcome: JobResult | Exception) -> None:
        if isinstance(outcome, JobCancelled):
            self._end()
        elif isinstance(outcome, Exception):
            self._fail(outcome)
        else:
            self._result = outcome
            self._run(_shown(outcome), self._show)

    def _show(self, images: list[QtGui.QImage]) -> None:
        self.painted.emit(self.order, self._result, images)
        self._end()

    def _fail(self, error: Exception) -> None:
        self.failed.emit(self.order, error)
        self._end()

    def _end(self) -> None:
        for inbox in (self._planned, self._heard, self._answered):
            inbox.close()
        self.ended.emit(self)


def _shown(result: JobResult) -> Steps:
    def images() -> list[QtGui.QImage]:
        pictures = [(layer.data, layer.picture) for layer in result.layers]
        return [image_of(data, picture.depth, picture.width, picture.height) for data, picture in pictures]

    return (yield images)
