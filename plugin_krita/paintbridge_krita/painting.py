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
from bridge.protocol.messages import ContextChoice, ContextKind, Depth, Planned, Rect, ResultFormat

from .cooperative_task import CooperativeTask, Steps
from .job_target import JobTarget
from .pixel_formats import to_qimage
from .qt import QtCore, QtGui, Signal
from .queued_callback import QueuedCallback
from .submission import Submission

__all__ = ["Order", "Painting"]


@dataclass(frozen=True)
class Order:
    """What is wanted where. ``values`` are the docker's, by their names on the wire, with ``context`` as the kind of
    choice; ``sent`` is what was read from the document for them, None until then.
    """

    target: JobTarget
    values: dict[str, Any]
    sent: dict[str, Any] | None = None

    def again(self) -> Order:
        """The same pixels and values, with another seed."""
        return Order(self.target, {**self.values, "seed": None}, self.sent)

    @property
    def first(self) -> Order:
        """The first picture of its batch."""
        return Order(self.target, {**self.values, "batch": 1}, self.sent)

    @property
    def others(self) -> Order | None:
        """The pictures of its batch after the first; None: there are none. Seeds count up, as in a batch."""
        batch, seed = self.values["batch"], self.values.get("seed")
        if batch == 1:
            return None
        following = {} if seed is None else {"seed": seed + 1}
        return Order(self.target, {**self.values, **following, "batch": batch - 1}, self.sent)


class Painting(QtCore.QObject):
    """An order under way, as one job for each picture of its batch, one after the other, so that each is seen as soon
    as it is there. ``progressed`` tells their events, ``painted`` each one's result and its layers as pictures for the
    screen, with the order of that picture. ``failed`` ends it, with the order of those that are not painted; and
    ``ended`` comes last, also where it was cancelled. ``count`` pictures were wanted, and ``number`` is the one that is
    being painted.
    """

    progressed = Signal(object, object)
    painted = Signal(object, object, object)
    failed = Signal(object, object)
    ended = Signal(object)

    def __init__(self, bridge: Bridge, order: Order) -> None:
        super().__init__()
        self._bridge = bridge
        self.order = order
        self.count = int(order.values["batch"])
        self._submission: Submission | None = None
        self._task: CooperativeTask | None = None
        self._result: JobResult | None = None
        self._planned = QueuedCallback(self._read)
        self._heard = QueuedCallback(self._tell)
        self._answered = QueuedCallback(self._take)

    @property
    def number(self) -> int:
        return self.count - int(self.order.values["batch"]) + 1

    def start(self) -> None:
        """Raises BridgeError for values that cannot be, and BridgeClosed."""
        if self.order.sent is not None:
            self._submit()
            return
        target, values = self.order.target, self.order.values
        settings = {name: value for name, value in values.items() if name != "context"}
        choice = ContextChoice(ContextKind(values["context"]))
        planned = self._bridge.plan_soon(canvas=target.canvas, selection=target.bounds, context=choice, **settings)
        planned.add_done_callback(self._planned.send)

    def cancel(self) -> None:
        """End it now, whatever still comes of it."""
        if self._task is not None:
            self._task.stop()
        if self._submission is not None:
            self._submission.cancel()
        self._end()

    def _read(self, planned: Future[Planned]) -> None:
        # Not raised: its traceback would hold this object as long as anybody holds the error.
        error = BridgeClosed() if planned.cancelled() else planned.exception()
        if error is None:
            self._run(self._reading(planned.result().context), self._submit)
        else:
            self._fail(error)

    def _reading(self, context: Rect) -> Steps[None]:
        target = self.order.target
        # First and at once, as the artist sees it now.
        selection = target.coverage(context)
        picture = yield from target.picture(context)
        sent = {
            "canvas": target.canvas,
            "context": context,
            "picture": picture,
            "selection": selection,
            "result": ResultFormat(Depth(picture.depth)),
        }
        self.order = Order(target, self.order.values, sent)

    def _run(self, steps: Steps[object], then: Callable[[Any], None]) -> None:
        self._task = CooperativeTask(steps)
        self._task.done.connect(then)
        self._task.failed.connect(self._fail)
        self._task.start()

    def _submit(self, _nothing: object = None) -> None:
        assert self.order.sent is not None
        values = {**self.order.first.values, **self.order.sent}
        self._submission = Submission(self._bridge, values, self._heard.send, self._answered.send)
        self._submission.start()

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
        self.painted.emit(self.order.first, self._result, images)
        others = self.order.others
        if others is None:
            self._end()
        else:
            self.order = others
            self._submit()

    def _fail(self, error: BaseException) -> None:
        self.failed.emit(self.order, error)
        self._end()

    def _end(self) -> None:
        for callback in (self._planned, self._heard, self._answered):
            callback.close()
        self.ended.emit(self)


def _shown(result: JobResult) -> Steps[list[QtGui.QImage]]:
    def images() -> list[QtGui.QImage]:
        pictures = [(layer.data, layer.picture) for layer in result.layers]
        return [to_qimage(data, picture.depth, picture.width, picture.height) for data, picture in pictures]

    shown: list[QtGui.QImage] = yield images
    return shown
