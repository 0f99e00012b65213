"""What the client does for its jobs, all of it on the loop's thread: send them, follow them, fetch their pictures,
acknowledge, and take everything up again after a lost connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Callable, Optional, TypeVar, Union

from ..protocol.errors import BridgeError
from ..protocol.messages import (
    Ack,
    Browse,
    Cancel,
    Cancelled,
    Checkpoints,
    Closing,
    Device,
    DeviceInfo,
    Error,
    Failed,
    Forget,
    JobEvent,
    JobOrder,
    KeepDocument,
    Mark,
    Picture,
    Plan,
    Planned,
    Preview,
    Result,
    ServerMessage,
    Trained,
    Welcome,
)
from ..protocol.session import TERMINAL_EVENTS
from .acknowledge import Acknowledgements
from .answers import JOB_EVENTS, Disconnected
from .connection import Connection
from .discovery import Address
from .errors import JobCancelled, error_from_wire
from .job import Job, JobResult, Outcome, ResultLayer, TrainedLora
from .model_lists import NEWS, ModelLists, PullCallback
from .request import Request, TrainRequest, described
from .transfer import Upload, download, hash_bytes, upload

__all__ = ["ConnectionCallback", "Jobs"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
LibraryRequest = Union[Browse, Mark, Forget, KeepDocument]
ConnectionCallback = Callable[[str, Optional[Exception]], None]


@dataclass
class _Entry:
    """A job that has not ended."""

    job: Job
    sent: bool = False
    accepted: bool = False
    cancelled: bool = False


class Jobs:
    """The :class:`~.connection.Listener` of one connection.

    ``on_connection`` is called with ``open``, ``interrupted``, or ``closed``, and the reason; ``on_device`` when the
    bridge says where it runs; the others as by :class:`.model_lists.ModelLists`.
    """

    def __init__(
        self,
        *,
        locate: Callable[[], Address],
        client: str,
        on_connection: Optional[ConnectionCallback],
        on_device: Optional[Callable[[DeviceInfo], None]],
        on_checkpoints: Optional[Callable[[Checkpoints], None]],
        on_pull: Optional[PullCallback],
    ) -> None:
        self.connection = Connection(locate=locate, client=client, listener=self)
        self.device: Optional[DeviceInfo] = None
        self.model_lists = ModelLists(
            self.connection,
            persist=self._persist,
            call_back=self._call_back,
            on_checkpoints=on_checkpoints,
            on_pull=on_pull,
        )
        self._on_connection = on_connection
        self._on_device = on_device
        self._entries: dict[str, _Entry] = {}
        self._acks = Acknowledgements()
        self._requests = count(1)
        # An answer to `offer` does not say which offer it answers, and two jobs may want the same picture.
        self._uploading = asyncio.Lock()
        self._downloading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    # ------------------------------------------------------------ what hosts ask for

    async def open(self) -> Welcome:
        """As :meth:`.connection.Connection.open`."""
        welcome = await self.connection.open()
        self.device = self.device or welcome.device
        return welcome

    async def close(self) -> None:
        await self.connection.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def plan(self, message: Plan) -> Planned:
        """Ask until there is an answer. Raises BridgeError, ClientError."""
        message = replace(message, request=next(self._requests))
        key, about = ("planned", message.request), str(message.request)
        answer: Planned = await self._persist(lambda: self.connection.ask(message, key, about))
        return answer

    async def ask_library(self, message: LibraryRequest) -> Any:
        """Ask the library until there is an answer. Raises BridgeError, ClientError."""
        message = replace(message, request=next(self._requests))
        key, about = ("library", message.request), str(message.request)
        return await self._persist(lambda: self.connection.ask(message, key, about))

    async def fetch_kept(self, picture: Picture) -> memoryview:
        """The bytes of a picture that the library has. Raises as :func:`.transfer.download`."""
        async with self._downloading:
            return await download(self.connection, picture)

    def submit(self, job: Job, request: Union[Request, TrainRequest]) -> None:
        """Send a job. Whatever keeps it from being sent ends it."""
        self._entries[job.id] = _Entry(job)
        self._start(self._send(self._entries[job.id], request))

    def cancel(self, job: Job) -> None:
        """Stop a job, waiting or running; one that has not been sent ends at once."""
        entry = self._entries.get(job.id)
        if entry is None:
            return
        entry.cancelled = True
        if entry.sent:
            self.connection.post(Cancel(job.id))
        else:
            self._end(job.id, JobCancelled(job.id))

    # ------------------------------------------------------------ sending

    async def _send(self, entry: _Entry, request: Union[Request, TrainRequest]) -> None:
        job = entry.job
        try:
            pictures: dict[int, Picture] = {}
            for pixels in request.pixels():
                pictures[id(pixels)] = described(pixels, await hash_bytes(pixels.data))
            message = request.message(lambda pixels: pictures[id(pixels)])
            uploads = {pictures[id(pixels)].hash: (pictures[id(pixels)], pixels.data) for pixels in request.pixels()}
            async with self._uploading:
                await self._persist(lambda: self._submit(entry, message, uploads))
        except Exception as error:  # noqa: BLE001 - whatever it is, the job must end
            self.connection.session.forget(job.id)
            self._end(job.id, error)

    async def _submit(self, entry: _Entry, message: JobOrder, uploads: Mapping[str, Upload]) -> None:
        """One attempt; what became of an earlier one has been learnt by now."""
        job = entry.job

        def wanted() -> bool:
            return not (job.done or entry.accepted or entry.cancelled)

        if not wanted() or not await upload(self.connection, uploads, wanted):
            return
        again, entry.sent = entry.sent, True
        if not again:
            message = self.connection.session.submit(message)
        await self.connection.ask(message, ("job", job.id), job.id)

    async def _persist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again whenever the connection breaks, until there is an answer."""
        while True:
            await self.connection.wait_open()
            try:
                return await attempt()
            except Disconnected:
                continue

    # ------------------------------------------------------------ following (Listener)

    def received(self, message: ServerMessage) -> None:
        if isinstance(message, JOB_EVENTS):
            self._event(message)
        elif isinstance(message, Preview):
            if len(message.data) != message.width * message.height * 3:
                raise BridgeError("picture_mismatch")
            if message.job in self._entries:
                self._entries[message.job].job.update(message)
        elif isinstance(message, Device):
            self.device = message.device
            self._call_back(self._on_device, message.device)
        elif isinstance(message, NEWS):
            self.model_lists.received(message)
        elif isinstance(message, Error):
            self._refused(message)
        elif isinstance(message, Closing):
            logger.info("The bridge closes the connection: %s", message.reason)

    def _event(self, event: JobEvent) -> None:
        entry = self._entries.get(event.job)
        self._acks.arrived(event.event, hold=isinstance(event, Result) and entry is not None)
        if isinstance(event, TERMINAL_EVENTS):
            self.connection.session.forget(event.job)
        if entry is not None:
            entry.accepted = True
            if isinstance(event, Result):
                self._start(self._fetch(event, self._acks))
            elif isinstance(event, Trained):
                end = event
                lora = TrainedLora(end.job, end.lora, end.loss_before, end.loss, end.timings, end.hints)
                self._end(event.job, lora, event)
            elif isinstance(event, Failed):
                self._end(event.job, error_from_wire(event.code, event.message, event.hint), event)
            elif isinstance(event, Cancelled):
                self._end(event.job, JobCancelled(event.job), event)
            else:
                entry.job.update(event)
        self._acknowledge(self._acks)

    async def _fetch(self, result: Result, acks: Acknowledgements) -> None:
        try:
            async with self._downloading:
                data = {layer.picture.hash: layer.picture for layer in result.layers}
                fetched = {key: await download(self.connection, picture) for key, picture in data.items()}
        except Exception as error:  # noqa: BLE001 - whatever it is, the job must end
            self._end(result.job, error)
        else:
            layers = tuple(
                ResultLayer(layer.x, layer.y, layer.picture, layer.recipe, fetched[layer.picture.hash], layer.people)
                for layer in result.layers
            )
            outcome = JobResult(result.job, layers, result.reach, result.timings, result.hints, result.entries)
            self._end(result.job, outcome, result)
        acks.release(result.event)
        self._acknowledge(acks)

    def _acknowledge(self, acks: Acknowledgements) -> None:
        # Those of a session that the bridge has forgotten go nowhere.
        if acks is self._acks:
            number = acks.due()
            if number is not None:
                self.connection.post(Ack(number))

    def _refused(self, message: Error) -> None:
        entry = self._entries.get(message.about)
        if entry is not None and entry.cancelled and message.code == "job_unknown":
            # It was cancelled on its way to the bridge, and never arrived there.
            self.connection.session.forget(message.about)
            self._end(message.about, JobCancelled(message.about))
        else:
            logger.warning("The bridge refused a message: %s %s (%s)", message.code, message.message, message.about)

    def opened(self) -> None:
        if self.connection.welcome is not None:
            self.model_lists.welcomed(self.connection.welcome)
        number = self._acks.sent()
        if number is not None:
            self.connection.post(Ack(number))
        for key, entry in self._entries.items():
            if entry.cancelled:
                self.connection.post(Cancel(key))
        self._call_back(self._on_connection, "open", None)

    def interrupted(self, reason: Optional[Exception]) -> None:
        self._call_back(self._on_connection, "interrupted", reason)

    def session_lost(self, jobs: tuple[str, ...], error: BridgeError) -> None:
        self._acks = Acknowledgements()
        for job in jobs:
            cancelled = job in self._entries and self._entries[job].cancelled
            self._end(job, JobCancelled(job) if cancelled else error)

    def ended(self, error: Exception) -> None:
        for job in list(self._entries):
            self._end(job, error)
        self._call_back(self._on_connection, "closed", error)

    # ------------------------------------------------------------ helpers

    def _end(self, job: str, outcome: Union[Outcome, Exception], event: Optional[JobEvent] = None) -> None:
        entry = self._entries.pop(job, None)
        if entry is not None:
            entry.job.end(outcome, event)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _call_back(self, callback: Optional[Callable[..., None]], *arguments: object) -> None:
        if callback is None:
            return
        try:
            callback(*arguments)
        except Exception:
            # The host's fault must not end the connection.
            logger.exception("A callback of the host failed")
