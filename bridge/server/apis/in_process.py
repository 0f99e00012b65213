"""A client inside the server: one session for all requests of an HTTP API, with its place in the queue like any other.

It speaks as a websocket's far end would: pictures are offered and put, jobs submitted, events heard and acknowledged.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...protocol.errors import CODES, BridgeError
from ...protocol.messages import (
    Cancelled,
    Failed,
    Layer,
    Offer,
    Preview,
    Progress,
    Queued,
    Result,
    Started,
    Submit,
)
from ...protocol.pixels import Buffer, chunks
from ...protocol.wire import decode_server
from ..logs import log_fault
from ..outbox import Outbox
from ..service import Service
from ..session import Session
from ..submission import named_pictures

__all__ = ["Happened", "InProcessClient", "JobStopped", "PaintedJob"]

_EVENTS = (Queued, Started, Progress, Result, Failed, Cancelled)
_PATIENCE_SECONDS = 60.0

Happened = Queued | Started | Progress | Preview
Follow = Callable[[Happened], None]


class JobStopped(Exception):
    """The job was stopped, as :meth:`InProcessClient.stop` was asked to."""


@dataclass(frozen=True)
class PaintedJob:
    """A job's layers, with the bytes of their pictures by hash."""

    layers: tuple[Layer, ...]
    pictures: Mapping[str, Buffer]
    hints: tuple[str, ...]


@dataclass
class _Waiting:
    outcome: asyncio.Future[PaintedJob]
    follow: Follow
    stopped: bool = False


class InProcessClient:
    """Belongs to one event loop. Its session is opened at the first job."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._session: Session | None = None
        self._listening: asyncio.Task[None] | None = None
        self._waiting: dict[str, _Waiting] = {}
        self._names = itertools.count(1)
        # What one job has put must not make room for another's before it is submitted.
        self._sending = asyncio.Lock()

    def name(self) -> str:
        """A name for a job that has not been one's before."""
        return f"http-{next(self._names)}"

    async def paint(self, submit: Submit, pictures: Mapping[str, bytes], follow: Follow) -> PaintedJob:
        """Have a job done. Whoever cancels this cancels the job.

        Args:
            pictures: the bytes of those that the job names, by hash.
            follow: is told what happens meanwhile.

        Raises:
            BridgeError: it was refused, or failed.
            JobStopped: :meth:`stop` was called.
        """
        outcome: asyncio.Future[PaintedJob] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[submit.job] = _Waiting(outcome, follow)
        try:
            async with self._sending:
                session = await self._open()
                await self._put(session, submit, pictures)
                await self._service.submit(session, submit)
            if waiting.stopped:
                # On its way here.
                self.stop(submit.job)
            return await outcome
        except asyncio.CancelledError:
            self.stop(submit.job)
            raise
        finally:
            self._waiting.pop(submit.job, None)
            if outcome.done() and not outcome.cancelled():
                outcome.exception()  # marks it as seen: the request may have ended for another reason

    def stop(self, job: str) -> None:
        """Have a job stopped; one that has ended is let be."""
        if job in self._waiting:
            self._waiting[job].stopped = True
        if self._session is not None and job in self._session.jobs:
            self._service.cancel(self._session, job)

    # ------------------------------------------------------------ inside

    async def _open(self) -> Session:
        if self._session is None:
            outbox = Outbox()
            session = self._session = await self._service.open_session(outbox, "HTTP APIs")
            self._listening = asyncio.create_task(self._listen(session, outbox), name="http apis")
        return self._session

    async def _listen(self, session: Session, outbox: Outbox) -> None:
        async def hear(frame: bytes) -> None:
            self._hear(session, frame)

        async def close(_code: int) -> None:
            pass

        try:
            await outbox.run(hear, close, stalled_seconds=_PATIENCE_SECONDS)
        except Exception:  # noqa: BLE001 - the next job opens a session of its own
            log_fault("the session of an HTTP API broke off")
        finally:
            self._session = None
            self._service.lose(session, outbox)
            for waiting in self._waiting.values():
                if not waiting.outcome.done():
                    waiting.outcome.set_exception(BridgeError("shutting_down"))

    async def _put(self, session: Session, submit: Submit, pictures: Mapping[str, bytes]) -> None:
        described = named_pictures(submit)
        if not described:
            return
        wanted = session.pictures.offer(Offer(described))
        for picture in described:
            if picture.hash in wanted:
                for put in chunks(picture, pictures[picture.hash]):
                    session.pictures.put(put)
                    # A chunk is hashed in a millisecond; others have their turn between two.
                    await asyncio.sleep(0)

    def _hear(self, session: Session, frame: bytes) -> None:
        message = decode_server(frame)
        if isinstance(message, Preview):
            self._tell(message)
        elif isinstance(message, _EVENTS):
            waiting = self._waiting.get(message.job)
            if isinstance(message, Queued | Started | Progress):
                self._tell(message)
            elif waiting is not None and not waiting.outcome.done():
                _end(waiting, message, session)
            session.acknowledge(message.event)

    def _tell(self, message: Happened) -> None:
        waiting = self._waiting.get(message.job)
        if waiting is not None:
            waiting.follow(message)


def _end(waiting: _Waiting, event: Result | Failed | Cancelled, session: Session) -> None:
    if isinstance(event, Result):
        data = {layer.picture.hash: session.results.get(layer.picture.hash) for layer in event.layers}
        whole = {name: found for name, found in data.items() if found is not None}
        waiting.outcome.set_result(PaintedJob(event.layers, whole, event.hints))
    elif isinstance(event, Failed):
        code = event.code if event.code in CODES else "internal"
        waiting.outcome.set_exception(BridgeError(code, event.message, event.hint))
    else:
        # Nobody else ends this session's jobs but a bridge that stops.
        waiting.outcome.set_exception(JobStopped() if waiting.stopped else BridgeError("shutting_down"))
