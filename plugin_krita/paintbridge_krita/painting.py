"""One job, from the document as it is to its pictures, without waiting: what is asked of the bridge is answered by
signals on the user interface's thread.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from bridge.client import Bridge, Job, JobCancelled
from bridge.client.job import JobUpdate
from bridge.protocol.messages import ResultFormat

from .qt import QtCore, Signal
from .scene import Scene

__all__ = ["Order", "Painting"]

_KIND = "fill"
_PLANNED = ("mode", "checkpoint")


@dataclass(frozen=True)
class Order:
    """What is wanted where. ``values`` are the docker's, by their names on the wire; ``sent`` is what was read from the
    document for them, None until then.
    """

    scene: Scene
    values: dict[str, Any]
    sent: dict[str, Any] | None = None

    def again(self) -> Order:
        """The same pixels and values, with another seed."""
        return Order(self.scene, {**self.values, "seed": None}, self.sent)


class Painting(QtCore.QObject):
    """A job under way. It ends with one of ``painted``, ``failed`` and ``cancelled``."""

    progressed = Signal(object)
    painted = Signal(object, object)
    failed = Signal(object)
    cancelled = Signal()
    _planned = Signal(object)
    _heard = Signal(object)
    _refused = Signal(object)
    _done = Signal(object)

    def __init__(self, bridge: Bridge, order: Order) -> None:
        super().__init__()
        self._bridge = bridge
        self._order = order
        self._job: Job | None = None
        self._ended = False
        self._planned.connect(self._read)
        self._heard.connect(self._tell)
        self._refused.connect(self._fail)
        self._done.connect(self._take)

    def start(self) -> None:
        """Raises BridgeError for values that cannot be, and BridgeClosed."""
        if self._order.sent is not None:
            self._submit()
            return
        scene, values = self._order.scene, self._order.values
        shared = {name: values[name] for name in _PLANNED}
        planned = self._bridge.plan_soon(kind=_KIND, canvas=scene.canvas, selection=scene.bounds, **shared)
        planned.add_done_callback(lambda future: self._planned.emit(future))  # noqa: PLW0108 - as in `_send`

    def cancel(self) -> None:
        """End it now, whatever still comes of it."""
        self._end(self.cancelled)
        # In this order: a job that is being sent meanwhile sees that it is not wanted any more.
        if self._job is not None:
            self._job.cancel()

    # ------------------------------------------------------------ on the user interface's thread

    def _read(self, planned: Future[Any]) -> None:
        if self._ended:
            return
        try:
            context = planned.result().context
            scene = self._order.scene
            picture, selection = scene.picture(context), scene.coverage(context)
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._fail(error)
            return
        sent = {
            "canvas": scene.canvas,
            "context": context,
            "picture": picture,
            "selection": selection,
            "result": ResultFormat(picture.depth),
        }
        self._order = Order(scene, self._order.values, sent)
        self._submit()

    def _submit(self) -> None:
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
            self._end(self.painted, self._order, result)

    def _fail(self, error: Exception) -> None:
        self._end(self.failed, error)

    def _end(self, signal: Any, *arguments: object) -> None:
        if not self._ended:
            self._ended = True
            signal.emit(*arguments)

    # ------------------------------------------------------------ on a thread of its own

    def _send(self) -> None:
        try:
            # Functions, not the signals' own `emit`: that would not keep this object alive.
            job = self._bridge.submit(
                kind=_KIND,
                previews=False,
                on_event=lambda event: self._heard.emit(event),  # noqa: PLW0108
                on_done=lambda job: self._done.emit(job),  # noqa: PLW0108
                **self._order.values,
                **self._order.sent,
            )
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._refused.emit(error)
            return
        self._job = job
        if self._ended:
            job.cancel()
