"""The engine on this machine: one worker process, supervised, and the models that lie here.

A worker that ends, or whose heartbeat falls silent, fails the job that it was at, and is replaced; jobs that wait are
run by its successor. How long a step takes is never held against a worker: on a CPU it may be minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field

from ..protocol.errors import BridgeError
from ..protocol.messages import DeviceInfo
from .inventory import Inventory
from .local_inventory import LOCAL_WORKER, LocalInventory
from .messages import Begun, Cancel, Free, Happened, Ready, Unfit, WorkerSettings
from .port import EngineEvent, PullEvent, Task, TaskCancelled, TaskFailed, TaskFinished, TaskTrained
from .process import WorkerProcess, crash_error

__all__ = ["EngineSettings", "LocalEngine"]

_log = logging.getLogger(__name__)

_ENDS = (TaskFinished, TaskTrained, TaskFailed, TaskCancelled)


@dataclass(frozen=True)
class EngineSettings:
    """What the engine needs to know.

    ``models`` are folders that hold checkpoints; ``device`` is ``auto`` or a kind of device (``cpu``, ``cuda`` ...).
    A worker that says nothing for ``silent_seconds``, or for ``start_seconds`` while it starts (loading libraries can
    hold up its heartbeat), is replaced. After ``start_attempts`` workers in a row have died without having got as far
    as a job, the engine gives up until the next job comes. A worker that is asked to
    end has ``close_seconds`` for it.
    """

    models: tuple[str, ...] = ()
    default_checkpoint: str | None = None
    device: str = "auto"
    heartbeat_seconds: float = 1.0
    silent_seconds: float = 60.0
    start_seconds: float = 180.0
    start_attempts: int = 4
    back_off_seconds: float = 0.5
    close_seconds: float = 1.5
    worker: str = "bridge.engine.worker:main"


@dataclass
class _Job:
    task: Task
    number: int = 0
    events: asyncio.Queue[EngineEvent] = field(default_factory=asyncio.Queue)
    begun: bool = False
    cancelled: bool = False


class LocalEngine:
    """Runs jobs one at a time in a process of their own. Implements :class:`.port.Engine`.

    All methods belong to one event loop's thread.
    """

    slots = 1

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._inventory = LocalInventory(settings.models, default_checkpoint=settings.default_checkpoint)
        # Short, since macOS allows 30 characters for all of a segment's name.
        self.segment_prefix = f"pb{secrets.token_hex(6)}-"
        self._jobs: dict[str, _Job] = {}
        self._waiting: list[_Job] = []
        self._running: _Job | None = None
        self._count = 0
        self._worker: WorkerProcess | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._device: asyncio.Future[DeviceInfo] | None = None
        self._deaths = 0
        self._refusal: BridgeError | None = None
        self._wanted = asyncio.Event()
        self._closing = False

    # ------------------------------------------------------------ the port

    async def start(self) -> None:
        """Begin to start the worker; returns at once."""
        if self._supervisor is None:
            self._device = self._new_device()
            self._supervisor = asyncio.create_task(self._supervise())

    def submit(self, task: Task) -> AsyncIterator[EngineEvent]:
        """Run a task. Whoever closes the stream before its end cancels the task.

        Raises:
            BridgeError: ``job_exists`` for an id that is under way.
        """
        if task.id in self._jobs:
            raise BridgeError("job_exists")
        job = self._jobs[task.id] = _Job(task)
        self._waiting.append(job)
        if self._closing:
            self._end(job, TaskFailed(BridgeError("shutting_down")))
        self._wanted.set()
        self._dispatch()
        return self._stream(job)

    def cancel(self, task_id: str) -> None:
        """Ask for a task's end. One that waits ends at once, one that runs at its next step."""
        job = self._jobs.get(task_id)
        if job is None or job.cancelled:
            return
        job.cancelled = True
        if job is not self._running:
            self._end(job, TaskCancelled())
        elif self._worker is not None:
            self._worker.send(Cancel(job.number))

    def free(self) -> None:
        """Let go of what is loaded, after the job that runs."""
        if self._worker is not None:
            self._worker.send(Free())

    async def devices(self) -> Mapping[str, DeviceInfo]:
        """Where the worker's models run; waits until that is known.

        Raises:
            BridgeError: ``worker_crashed`` when no worker could be started; ``shutting_down``.
        """
        if self._device is None:
            raise RuntimeError("The engine has not been started.")
        return {LOCAL_WORKER: await asyncio.shield(self._device)}

    async def inventory(self, *, fresh: bool = False) -> tuple[Inventory, ...]:
        """As :meth:`.LocalInventory.inventory`."""
        return await self._inventory.inventory(fresh=fresh)

    def inventory_changes(self) -> AsyncGenerator[tuple[Inventory, ...], None]:
        """As :meth:`.LocalInventory.inventory_changes`."""
        return self._inventory.inventory_changes()

    async def wildcard_options(self, name: str) -> tuple[str, ...]:
        """As :meth:`.LocalInventory.wildcard_options`."""
        return await self._inventory.wildcard_options(name)

    def pull(self, name: str) -> AsyncGenerator[PullEvent, None]:
        """As :meth:`.LocalInventory.pull`."""
        return self._inventory.pull(name)

    def stop_pull(self, name: str) -> None:
        """As :meth:`.LocalInventory.stop_pull`."""
        self._inventory.stop_pull(name)

    async def close(self) -> None:
        """Stop what runs, end the worker, free its memory; jobs end with ``shutting_down``."""
        self._closing = True
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
        number = self._running.number if self._running else None
        for job in list(self._jobs.values()):
            self._end(job, TaskFailed(BridgeError("shutting_down")))
        if self._worker is not None:
            await self._worker.end(number, patience=self._settings.close_seconds)
            self._worker = None
        if self._device is not None and not self._device.done():
            self._device.set_exception(BridgeError("shutting_down"))
        await self._inventory.close()

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id, for `doctor` and the tests; None while there is no worker."""
        return self._worker.pid if self._worker else None

    # ------------------------------------------------------------ jobs

    async def _stream(self, job: _Job) -> AsyncIterator[EngineEvent]:
        try:
            while True:
                event = await job.events.get()
                yield event
                if isinstance(event, _ENDS):
                    return
        finally:
            if self._jobs.get(job.task.id) is job:
                self.cancel(job.task.id)

    def _dispatch(self) -> None:
        if self._running is None and self._waiting and self._worker is not None and self._worker.ready:
            self._running = self._waiting.pop(0)
            self._count += 1
            self._running.number = self._count
            self._worker.run(self._running.number, self._running.task)

    def _end(self, job: _Job, event: EngineEvent) -> None:
        del self._jobs[job.task.id]
        if job in self._waiting:
            self._waiting.remove(job)
        if job is self._running:
            self._running = None
        job.events.put_nowait(event)

    def _hear(self, worker: WorkerProcess, message: Ready | Unfit | Begun | Happened) -> None:
        """A worker's message, on the event loop."""
        if worker is not self._worker:
            return
        if isinstance(message, Ready):
            worker.ready = True
            if self._device is not None and not self._device.done():
                self._device.set_result(message.device)
        elif isinstance(message, Unfit):
            self._refusal = BridgeError("worker_crashed", message.message, message.hint)
        elif self._running is not None and message.number == self._running.number:
            if isinstance(message, Begun):
                self._running.begun = True
                self._deaths = 0
            elif isinstance(message.event, _ENDS):
                self._end(self._running, message.event)
            else:
                self._running.events.put_nowait(message.event)
        self._dispatch()

    # ------------------------------------------------------------ the worker

    async def _supervise(self) -> None:
        while True:
            if self._refusal is not None or self._deaths >= self._settings.start_attempts:
                await self._give_up()
            elif self._deaths:
                await asyncio.sleep(self._settings.back_off_seconds * 2 ** (self._deaths - 1))
            self._deaths += 1
            try:
                worker = self._worker = WorkerProcess(
                    self._settings.worker, self._worker_settings(), self.segment_prefix, self._hear
                )
            except Exception:  # noqa: BLE001 (whatever it is, jobs must not wait for it)
                _log.exception("The worker process could not be started.")
                continue
            error = await self._watch(worker)
            self._worker = None
            self._lose(error)

    def _lose(self, error: BridgeError) -> None:
        """The worker is gone: so is the job that it was at, but not one that it had not turned to."""
        job, self._running = self._running, None
        if job is None:
            return
        if job.cancelled:
            self._end(job, TaskCancelled())
        elif job.begun:
            self._end(job, TaskFailed(error))
        else:
            self._waiting.insert(0, job)

    async def _watch(self, worker: WorkerProcess) -> BridgeError:
        """Wait for a worker's end, or make it. Returns the reason."""
        silent = await self._fell_silent(worker)
        exit_code = await worker.end(self._running.number if self._running else None)
        how = "fell silent" if silent else f"ended with exit code {exit_code}"
        _log.warning("The worker process %s.", how)
        return BridgeError("worker_silent") if silent else crash_error(exit_code)

    async def _fell_silent(self, worker: WorkerProcess) -> bool:
        """False when the worker has gone by itself.

        Silence is counted in our own waking beats and not by a clock: a machine that slept must not blame its worker.
        """
        beat = self._settings.heartbeat_seconds
        heard, silence = -1, 0.0
        while True:
            limit = self._settings.silent_seconds if worker.ready else self._settings.start_seconds
            if silence >= limit:
                return True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(worker.gone.wait(), beat)
                return False
            silence = silence + beat if worker.heard == heard else 0.0
            heard = worker.heard

    async def _give_up(self) -> None:
        """No worker can be started: tell whoever waits, and rest until somebody asks again."""
        error = self._refusal or BridgeError(
            "worker_crashed",
            "The process that paints cannot be started, so nothing can be painted.",
            "Run `paintbridge doctor`: it says what is wrong with this machine's set-up.",
        )
        _log.error("%s", error)
        for job in list(self._waiting):
            self._end(job, TaskFailed(error))
        if self._device is not None and not self._device.done():
            self._device.set_exception(error)
        self._wanted.clear()
        await self._wanted.wait()
        self._device = self._new_device()
        self._refusal = None
        # One attempt, and its failure is told at once.
        self._deaths = self._settings.start_attempts - 1

    def _new_device(self) -> asyncio.Future[DeviceInfo]:
        future: asyncio.Future[DeviceInfo] = asyncio.get_running_loop().create_future()
        # Nobody need ask.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    def _worker_settings(self) -> WorkerSettings:
        return WorkerSettings(
            models=self._settings.models,
            default_checkpoint=self._settings.default_checkpoint,
            device=self._settings.device,
            heartbeat_seconds=self._settings.heartbeat_seconds,
            log_level=logging.getLogger("bridge").getEffectiveLevel(),
        )
