"""What outlives a connection: a client's pictures, its jobs, and the events that it has not acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ..engine.port import TaskFinished, TaskPreview
from ..errors import Sentence
from ..protocol.errors import BridgeError
from ..protocol.messages import (
    CHUNK_BYTES,
    MOST_HINTS,
    PREVIEW_SIDE,
    Cancelled,
    Failed,
    Get,
    JobEvent,
    JobOrder,
    Preview,
    Progress,
    Put,
    Queued,
    Result,
    Resumed,
    Started,
    Trained,
)
from ..protocol.pixels import Buffer, slice_put
from ..protocol.session import ServerSession
from .outbox import Outbox
from .pictures import PictureStore
from .results import ResultStore
from .settings import Settings

__all__ = ["MOST_WAITING_EVENTS", "Job", "Session"]

E = TypeVar("E", bound=Queued | Started | Progress | Result | Trained | Failed | Cancelled)

MOST_WAITING_EVENTS = 4096
"""Events that may wait to be acknowledged before progress is left out and new jobs are refused."""


class Session:
    """One client, over all its connections. Belongs to one event loop.

    ``client`` is its name and version. ``resumable`` says that there may be something to come back for: its client has
    sent more than its greeting.
    """

    def __init__(self, session_id: str, settings: Settings, client: str) -> None:
        self.id = session_id
        self.client = client
        self.events = ServerSession(session_id)
        self.pictures = PictureStore(most_pixels=settings.picture_pixels, most_bytes=settings.upload_bytes)
        self.results = ResultStore(most_bytes=settings.replay_bytes)
        self.jobs: dict[str, Job] = {}
        self.resumable = False
        self.outbox: Outbox | None = None
        self._previews: dict[str, Preview] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost with it but uploads."""
        return not self.jobs and not self.events.waiting

    @property
    def held_bytes(self) -> int:
        """Bytes of pictures, uploaded and made, that it holds."""
        return self.pictures.used_bytes + self.results.used_bytes

    @property
    def unfinished(self) -> int:
        """Jobs that wait or run, and those whose result the client has not acknowledged."""
        return len(self.jobs) + len(self.events.held_results())

    @property
    def backlog_full(self) -> bool:
        """Whether too many events wait to be acknowledged."""
        return self.events.waiting >= MOST_WAITING_EVENTS

    # ------------------------------------------------------------ connection

    def attach(self, outbox: Outbox) -> None:
        """A new session's first connection is open."""
        self.outbox = outbox
        outbox.follow(self, after=0)

    def resume(self, outbox: Outbox, last_event: int) -> None:
        """The client has come back, and saw events up to this one. Answers ``resumed``; the events follow.

        Raises:
            BridgeError: ``out_of_range`` when that cannot be.
        """
        missed = self.events.replay(last_event)
        # What the earlier connection began to send, this one does not go on with.
        self.pictures.drop_incoming()
        self.outbox = outbox
        outbox.push(Resumed(self.id, len(missed)))
        outbox.follow(self, after=last_event)

    def detach(self) -> None:
        """The connection is gone."""
        if self.outbox is not None:
            self.outbox.leave()
            self.outbox = None
        self.pictures.drop_incoming()
        self._previews.clear()

    # ------------------------------------------------------------ events

    def emit(self, kind: type[E], **values: Any) -> E:
        """Number an event, keep it, and have it sent."""
        event = self.events.emit(kind, **values)
        if self.outbox is not None:
            self.outbox.stir()
        return event

    def fail(self, job: str, error: BridgeError) -> None:
        """End a job without a result."""
        self.emit(Failed, job=job, code=error.code, message=error.message, hint=error.hint)

    def show(self, job: str, preview: TaskPreview) -> None:
        """Have a preview sent, in place of an earlier one that still waits."""
        fits = max(preview.width, preview.height) <= PREVIEW_SIDE and len(preview.data) <= CHUNK_BYTES
        if self.outbox is None or not fits:
            return
        # Moved to the end, so that jobs take turns.
        self._previews.pop(job, None)
        self._previews[job] = Preview(job, preview.step, preview.width, preview.height, bytes(preview.data))
        self.outbox.stir()

    def event_after(self, number: int) -> JobEvent | None:
        """The first event after this number, if there is one yet."""
        return self.events.event_after(number)

    def take_preview(self) -> Preview | None:
        """A preview to send, if one waits whose job still runs."""
        while self._previews:
            job = next(iter(self._previews))
            preview = self._previews.pop(job)
            if self.events.preview_allowed(job):
                return preview
        return None

    def finish(
        self, job: str, finished: TaskFinished, entries: tuple[str, ...] = (), more_hints: tuple[Sentence, ...] = ()
    ) -> None:
        """End a job with its result. Older results that nobody has fetched may have to go for it.

        Args:
            entries: each layer's in the library.
            more_hints: what there is to say besides the engine's hints, the last of which give way to it.
        """
        fresh = {
            layer.picture.hash: memoryview(finished.pictures[layer.picture.hash]).nbytes for layer in finished.layers
        }
        needed = sum(size for name, size in fresh.items() if self.results.get(name) is None)
        for expired in self.results.make_room(needed, self.events.held_results()):
            self.events.expire(expired)
        result = self.emit(
            Result,
            job=job,
            layers=finished.layers,
            reach=finished.reach,
            timings=dict(finished.timings),
            hints=(*finished.hints[: MOST_HINTS - len(more_hints)], *more_hints),
            entries=entries,
        )
        self.results.hold(result, finished.pictures)

    def acknowledge(self, number: int) -> None:
        """The client has dealt with all events up to this one.

        Raises:
            BridgeError: ``out_of_range`` for an event that was never sent.
        """
        for event in self.events.acknowledge(number):
            if isinstance(event, Result):
                self.results.free(event)
            elif isinstance(event, Failed):
                self.results.forget_expired(event.event)

    def fetch(self, request: Get) -> Put:
        """A part of a result's picture, or of one that the client has uploaded.

        Raises:
            BridgeError: ``result_expired``, ``picture_unknown``, ``out_of_range``.
        """
        data = self.results.get(request.hash)
        if data is None:
            data = self.pictures.get(request.hash)
        if data is None:
            raise BridgeError("result_expired" if self.results.expired(request.hash) else "picture_unknown")
        return slice_put(request, data)


@dataclass(eq=False)
class Job:
    """A job that waits or runs.

    ``id`` is unique within the bridge, ``submit`` has its seed, strength and checkpoint filled in, ``pictures`` are
    pinned in the session until the job ends. ``position`` is the one that the client was told last. ``submitted`` and
    ``started`` are readings of the monotonic clock in seconds. ``cancelled`` says that its end was asked for while it
    ran, ``overrun`` how many of its steps were reported as done after that.
    """

    id: str
    session: Session
    submit: JobOrder
    pictures: Mapping[str, Buffer]
    submitted: float
    started: float | None = None
    position: int | None = None
    cancelled: bool = False
    overrun: int = 0

    @property
    def name(self) -> str:
        """The client's name for it."""
        return self.submit.job

    @property
    def session_id(self) -> str:
        return self.session.id
