"""Takes jobs from the queue to the engine, and the engine's events to the jobs' sessions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from ..engine.port import (
    Engine,
    EngineEvent,
    Task,
    TaskCancelled,
    TaskFailed,
    TaskFinished,
    TaskPreview,
    TaskProgress,
    TaskTrained,
)
from ..errors import Sentence
from ..protocol.errors import BridgeError
from ..protocol.messages import Cancelled, JobOrder, Progress, Queued, Started, Submit, Trained
from .library import Keeper
from .logs import log, log_fault
from .queue import FairQueue
from .session import Job, Session

__all__ = ["JobRunner"]


class JobRunner:
    """The jobs of all sessions: waiting ones in a fair queue, running ones in the engine's slots."""

    def __init__(
        self,
        engine: Engine,
        *,
        most_of_session: int,
        most: int,
        learnt: Callable[[], Awaitable[object]],
        ended: Callable[[Session], None],
        keeper: Keeper,
    ) -> None:
        """``learnt`` is awaited when there is a new LoRA, before its job is told. ``ended`` hears whose job ended.
        ``keeper`` keeps results, and notes jobs that have not ended.
        """
        self._engine = engine
        self._learnt = learnt
        self._ended = ended
        self._keeper = keeper
        self._queue: FairQueue[Job] = FairQueue(most_of_session=most_of_session, most=most)
        self._running: dict[Job, asyncio.Task[None]] = {}
        self._closed = False

    def check_room(self, session_id: str) -> None:
        """See whether one more job may wait.

        Raises:
            BridgeError: ``queue_full``.
        """
        self._queue.check_room(session_id)

    def add(self, job: Job) -> None:
        """Let a job wait, and say so; start it when there is a slot."""
        self._queue.add(job)
        job.session.jobs[job.name] = job
        self._keeper.begin(job)
        self._announce()
        self._fill_slots()

    def cancel(self, job: Job) -> None:
        """Stop a job. One that waits ends here; one that runs ends when the engine says so."""
        if self._queue.remove(job):
            job.session.emit(Cancelled, job=job.name)
            self._end(job, "cancelled")
            self._announce()
        else:
            # The engine may not have heard of it yet: then the flag counts.
            job.cancelled = True
            self._engine.cancel(job.id)

    async def close(self, *, grace_seconds: float) -> None:
        """Fail what waits with ``shutting_down``; stop what runs, wait a while for its end, and fail it likewise."""
        self._closed = True
        for job in list(self._queue):
            self._queue.remove(job)
            self._fail(job, BridgeError("shutting_down"))
        for job in self._running:
            self._engine.cancel(job.id)
        if self._running:
            await asyncio.wait(self._running.values(), timeout=grace_seconds)
        for job, task in list(self._running.items()):
            task.cancel()
            self._fail(job, BridgeError("shutting_down"))
        self._running.clear()

    def _fill_slots(self) -> None:
        while not self._closed and len(self._running) < self._engine.slots:
            job = self._queue.take()
            if job is None:
                return
            job.started = monotonic()
            job.session.emit(Started, job=job.name)
            self._running[job] = asyncio.create_task(self._run(job), name=f"job {job.id}")

    def _announce(self) -> None:
        """Tell each waiting job its place when it has changed."""
        for place, job in enumerate(self._queue, start=len(self._running)):
            # The first place is always told; later changes only to those who keep up.
            if job.position is None or (job.position != place and not job.session.backlog_full):
                job.position = place
                job.session.emit(Queued, job=job.name, position=place)

    async def _run(self, job: Job) -> None:
        entries: tuple[str, ...] = ()
        unkept: Sentence | None = None
        try:
            last = TaskCancelled() if job.cancelled or self._closed else await self._follow(job)
            if isinstance(last, TaskTrained):
                await self._learnt()
            elif isinstance(last, TaskFinished):
                entries, unkept = await self._keeper.keep(job, last)
        except BridgeError as error:
            last = TaskFailed(error)
        except Exception:  # noqa: BLE001 - a fault of the engine must not stop the queue
            log_fault("a job ran into an unforeseen error", id=job.id)
            last = TaskFailed(BridgeError("internal"))
        del self._running[job]
        self._conclude(job, last, entries, (unkept,) if unkept else ())
        self._fill_slots()
        self._announce()

    async def _follow(self, job: Job) -> EngineEvent:
        """Pass on the stream of a task; its last event."""
        session = job.session
        last: EngineEvent | None = None
        async for event in self._engine.submit(Task(job.id, job.submit, job.pictures)):
            match event:
                case TaskProgress():
                    # That a stage begins is reported too, and is no step.
                    job.overrun += job.cancelled and event.step > 0
                    if not session.backlog_full:
                        session.emit(
                            Progress,
                            job=job.name,
                            stage=event.stage,
                            step=event.step,
                            steps=max(1, event.steps),
                            seconds_left=event.seconds_left,
                        )
                case TaskPreview():
                    if isinstance(job.submit, Submit) and job.submit.result.previews:
                        session.show(job.name, event)
                case _:
                    last = event
        if last is None:
            raise RuntimeError("the engine's stream ended without an end of the job")
        return last

    def _conclude(
        self, job: Job, last: EngineEvent, entries: tuple[str, ...] = (), more_hints: tuple[Sentence, ...] = ()
    ) -> None:
        match last:
            case TaskFinished():
                try:
                    job.session.finish(job.name, last, entries, more_hints)
                except KeyError:
                    # The engine named a picture that it did not hand over.
                    log_fault("a job's result is incomplete", id=job.id)
                    self._fail(job, BridgeError("internal"))
                else:
                    self._end(job, "result")
            case TaskTrained():
                job.session.emit(
                    Trained,
                    job=job.name,
                    lora=last.lora,
                    loss_before=last.loss_before,
                    loss=last.loss,
                    timings=dict(last.timings),
                    hints=tuple(last.hints),
                )
                self._end(job, "trained")
            case TaskCancelled() if self._closed and not job.cancelled:
                # Nobody asked for its end but the bridge.
                self._fail(job, BridgeError("shutting_down"))
            case TaskCancelled():
                job.session.emit(Cancelled, job=job.name)
                self._end(job, "cancelled")
            case TaskFailed():
                self._fail(job, last.error)

    def _fail(self, job: Job, error: BridgeError) -> None:
        job.session.fail(job.name, error)
        self._end(job, error.code)

    def _end(self, job: Job, code: str) -> None:
        job.session.jobs.pop(job.name, None)
        job.session.pictures.unpin(job.pictures)
        self._ended(job.session)
        self._keeper.end(job, code)
        now = monotonic()
        log(
            logging.INFO if code in ("result", "trained", "cancelled") else logging.WARNING,
            "job",
            id=job.id,
            **_described(job.submit),
            waited=round((job.started or now) - job.submitted, 3),
            seconds=round(now - (job.started or now), 3),
            overrun=job.overrun,
            code=code,
        )


def _described(order: JobOrder) -> dict[str, object]:
    """What the log says of a job; nothing of what the artist wrote."""
    if isinstance(order, Submit):
        size = f"{order.context.width}x{order.context.height}"
        return {"kind": order.settings.kind, "size": size, "batch": order.settings.sampling.batch}
    return {"kind": "train", "pictures": len(order.images), "steps": order.steps}
