"""One job, from the document as it is to its pictures, without waiting: what is asked of the bridge is answered by
signals on the user interface's thread.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from bridge.client import Bridge, Job, JobCancelled, JobResult
from bridge.client.job import JobUpdate
from bridge.protocol.messages import ContextChoice, ResultFormat

from .flow import Flow, Steps
from .packing import image_of
from .qt import QtCore, QtGui, Signal
from .scene import Scene

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
    layers as a picture for the screen), ``failed`` and ``cancelled``, each with the order as it was sent.
    """

    progressed = Signal(object)
    painted = Signal(object, object, object)
    failed = Signal(object, object)
    cancelled = Signal(object)
    _planned = Signal(object)
    _heard = Signal(object)
    _refused = Signal(object)
    _done = Signal(object)

    def __init__(self, bridge: Bridge, order: Order) -> None:
        super().__init__()
        self._bridge = bridge
        self.order = order
        self._job: Job | None = None
        self._flow: Flow | None = None
        self._ended = False
        self._planned.connect(self._read)
        self._heard.connect(self._tell)
        self._refused.connect(self._fail)
        self._done.connect(self._take)

    def start(self) -> None:
        """Raises BridgeError for values that cannot be, and BridgeClosed."""
        if self.order.sent is not None:
            self._submit()
            return
        scene, values = self.order.scene, self.order.values
        shared = {name: values[name] for name in _PLANNED}
        choice = ContextChoice(values["context"])
        planned = self._bridge.plan_soon(canvas=scene.canvas, selection=scene.bounds, context=choice, **shared)
        planned.add_done_callback(lambda future: self._planned.emit(future))  # noqa: PLW0108 - as in `_send`

    def cancel(self) -> None:
        """End it now, whatever still comes of it."""
        self._end(self.cancelled)
        if self._flow is not None:
            self._flow.stop()
        # In this order: a job that is being sent meanwhile sees that it is not wanted any more.
        if self._job is not None:
            self._job.cancel()

    # ------------------------------------------------------------ on the user interface's thread

    def _read(self, planned: Future[Any]) -> None:
        if not self._ended:
            self._run(self._reading(planned), self._submit)

    def _reading(self, planned: Future[Any]) -> Steps:
        context = planned.result().context
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

    def _run(self, steps: Steps, then: Any) -> None:
        self._flow = Flow(steps)
        self._flow.done.connect(then)
        self._flow.failed.connect(self._fail)
        self._flow.start()

    def _submit(self, _nothing: object = None) -> None:
        # Pixels are hashed on the way: not on this thread.
        threading.Thread(target=self._send, name="paintbridge-submit", daemon=True).start()

    def _tell(self, event: JobUpdate) -> None:
        if not self._ended:
            self.progressed.emit(event)

    def _take(self, job: Job) -> None:
        try:
            result = job.result()
        except JobCancelled:
            self._end(self.cancelled)
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._fail(error)
        else:
            self._run(_shown(result), lambda images: self._end(self.painted, result, images))

    def _fail(self, error: Exception) -> None:
        self._end(self.failed, error)

    def _end(self, signal: Any, *arguments: object) -> None:
        if not self._ended:
            self._ended = True
            signal.emit(self.order, *arguments)

    # ------------------------------------------------------------ on a thread of its own

    def _send(self) -> None:
        try:
            # Functions, not the signals' own `emit`: that would not keep this object alive.
            job = self._bridge.submit(
                on_event=lambda event: self._heard.emit(event),  # noqa: PLW0108
                on_done=lambda job: self._done.emit(job),  # noqa: PLW0108
                **{**self.order.values, **self.order.sent},
            )
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._refused.emit(error)
            return
        self._job = job
        if self._ended:
            job.cancel()


def _shown(result: JobResult) -> Steps:
    def images() -> list[QtGui.QImage]:
        pictures = [(layer.data, layer.picture) for layer in result.layers]
        return [image_of(data, picture.depth, picture.width, picture.height) for data, picture in pictures]

    return (yield images)
