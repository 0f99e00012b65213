"""What the bridge does, apart from sockets: opens and resumes sessions, answers plans, takes and cancels jobs."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Collection
from functools import cache, partial
from importlib.metadata import version
from time import monotonic

from ..engine.port import Engine
from ..errors import Sentence
from ..models.samplers import SAMPLERS
from ..protocol.errors import CODES, BridgeError, CloseCode
from ..protocol.messages import (
    PROTOCOL_VERSION,
    Closing,
    Device,
    DeviceInfo,
    JobKind,
    JobOrder,
    Limits,
    LoraInfo,
    Plan,
    Planned,
    Resume,
    Train,
    Welcome,
)
from ..protocol.wire import FRAME_BYTES
from .detached import DetachedSessions
from .logs import log, log_fault
from .model_watcher import ModelWatcher
from .outbox import Outbox
from .planning import plan_job
from .runner import JobRunner
from .session import Job, Session
from .settings import Settings
from .submission import check_order, named_loras, named_pictures, with_seed

__all__ = ["GRACE_SECONDS", "Service"]

GRACE_SECONDS = 3.0
"""How long running jobs have for their end when the bridge must end; the engine's own time comes after that."""


class Service:
    """One bridge. Belongs to one event loop."""

    def __init__(self, settings: Settings, engine: Engine, token: Callable[[], str]) -> None:
        """``token`` gives the token that is valid at that moment."""
        self.settings = settings
        self.token = token
        self.shutting_down = False
        self._engine = engine
        self.models = ModelWatcher(engine, self._outboxes)
        self._sessions: dict[str, Session] = {}
        self._detached = DetachedSessions(settings, self._forget)
        learnt = partial(self.models.current, fresh=True)
        self._runner = JobRunner(
            engine,
            most_of_session=settings.queued_jobs,
            most=settings.queued_jobs_total,
            learnt=learnt,
            ended=self._detached.job_ended,
        )
        self.version = version("paintbridge")
        self._device: DeviceInfo | None = None
        self._device_task: asyncio.Task[None] | None = None
        self._job_count = 0

    async def start(self) -> None:
        """Let the engine start up. Sessions may be opened from then on."""
        await self._engine.start()
        self._device_task = asyncio.create_task(self._learn_device(), name="device")
        self.models.start()

    # ------------------------------------------------------------ sessions

    async def open_session(self, outbox: Outbox) -> Session:
        """Open a session for a client whose token was right. Answers ``welcome``.

        Raises:
            BridgeError: ``shutting_down``.
        """
        models = (await self.models.for_welcome()).message
        if self.shutting_down:
            raise BridgeError("shutting_down")
        session = Session(secrets.token_urlsafe(16), self.settings)
        self._sessions[session.id] = session
        outbox.push(
            Welcome(
                version=PROTOCOL_VERSION,
                bridge=self.version,
                session=session.id,
                limits=self._limits(),
                checkpoints=models.checkpoints,
                samplers=SAMPLERS,
                device=self._device,
                recommended=models.recommended,
                loras=models.loras,
                maps=models.maps,
            )
        )
        session.attach(outbox)
        self.models.follow()
        self.models.greet(outbox)
        return session

    def resume(self, message: Resume, fresh: Session, outbox: Outbox) -> Session:
        """Take up an earlier session in place of the fresh one. A connection that still has it loses it.

        Raises:
            BridgeError: ``session_unknown``, ``session_dropped``, ``out_of_range``. Then the fresh session goes on.
        """
        earlier = self.session(message.session)
        if earlier is fresh:
            raise BridgeError("session_unknown")
        holder = earlier.outbox
        earlier.resume(outbox, message.last_event)
        if holder is not None:
            holder.leave()
            holder.close(CloseCode.TAKEN_OVER, Closing(Sentence("The session was resumed on another connection.")))
        self._detached.take(earlier)
        del self._sessions[fresh.id]
        return earlier

    def lose(self, session: Session, outbox: Outbox) -> None:
        """A connection has ended. Its session waits to be resumed, unless another connection has it already."""
        if session.outbox is not outbox:
            return
        session.detach()
        self.models.follow()
        if not session.resumable:
            self._forget(session)
            return
        for job in list(session.jobs.values()):
            if job.submit.on_disconnect == "cancel":
                self._runner.cancel(job)
        if not self.shutting_down:
            self._detached.add(session)

    def session(self, session_id: str) -> Session:
        """A session by its id.

        Raises:
            BridgeError: ``session_unknown``, ``session_dropped``.
        """
        if session_id not in self._sessions:
            raise self._detached.why_gone(session_id)
        return self._sessions[session_id]

    # ------------------------------------------------------------ jobs

    async def plan(self, request: Plan) -> Planned:
        """Answer a plan. Raises as :func:`.plan_job`, and :meth:`.ModelWatcher.checkpoint`."""
        settings = request.settings
        checkpoint = None if settings.kind == JobKind.ESTIMATE else await self.models.checkpoint(settings.checkpoint)
        return plan_job(request, checkpoint, most_pixels=self.settings.picture_pixels)

    async def loras(self) -> tuple[LoraInfo, ...]:
        """LoRAs that prompts can name."""
        return (await self.models.current()).message.loras

    async def refused_loras(self, names: Collection[str], checkpoint: str | None) -> dict[str, BridgeError]:
        """Why LoRAs cannot be used with a checkpoint (None: the default one), by their names; the others are left out.

        Raises:
            BridgeError: as :meth:`.ModelWatcher.checkpoint`.
        """
        refused: dict[str, BridgeError] = {}
        if names:
            await self.models.checkpoint(checkpoint)
        for name in names:
            try:
                await self.models.choose(checkpoint, (name,))
            except BridgeError as error:
                refused[name] = error
        return refused

    def free_memory(self) -> None:
        """Have the engine let go of what is loaded, after the jobs that are under way."""
        self._engine.free()

    async def controlnets(self) -> dict[str, tuple[str, ...]]:
        """The kinds of condition that ControlNets take, by their names."""
        return (await self.models.current()).controlnets()

    async def submit(self, session: Session, message: JobOrder) -> None:
        """Take a job, to paint or to learn. One that cannot be done ends at once with a ``failed`` event.

        Raises:
            BridgeError: ``job_exists``; ``unacknowledged``.
        """
        if session.backlog_full:
            raise BridgeError("unacknowledged")
        message = with_seed(message)
        try:
            checkpoint: str | BridgeError | None = await self._choose_checkpoint(message)
        except BridgeError as error:
            checkpoint = error
        # No await from here on: the job is either not begun at all, or begun and on its way.
        session.events.begin(message)
        try:
            self._runner.add(self._accept(session, message, checkpoint))
        except BridgeError as error:
            session.fail(message.job, error)

    def cancel(self, session: Session, name: str) -> None:
        """Stop a job.

        Raises:
            BridgeError: ``job_unknown``, also for one that has ended.
        """
        job = session.jobs.get(name)
        if job is None:
            raise BridgeError("job_unknown")
        self._runner.cancel(job)

    async def shut_down(self) -> None:
        """Refuse what is new, end all jobs, tell every client, and close the engine."""
        if self.shutting_down:
            return
        self.shutting_down = True
        if self._device_task is not None:
            self._device_task.cancel()
        self._detached.close()
        await asyncio.gather(self.models.close(), self._runner.close(grace_seconds=GRACE_SECONDS))
        told = []
        for outbox in self._outboxes():
            outbox.close(CloseCode.GOING_AWAY, Closing(Sentence(CODES["shutting_down"].message)))
            told.append(asyncio.create_task(outbox.ended.wait()))
        if told:
            _, untold = await asyncio.wait(told, timeout=GRACE_SECONDS)
            for task in untold:
                task.cancel()
        await self._engine.close()

    # ------------------------------------------------------------ inside

    async def _choose_checkpoint(self, message: JobOrder) -> str | None:
        """What the job's choice of a checkpoint comes to, if its prompt's LoRAs and its conditions go with it; None for
        a map whose estimators are there.
        """
        if isinstance(message, Train):
            return (await self.models.checkpoint(message.checkpoint)).id
        if message.settings.kind == JobKind.ESTIMATE:
            wanted = message.settings.estimation
            await self.models.check_estimators(wanted.control_kind, wanted.estimator)
            return None
        # In a thread, for there may be many pictures with long prompts.
        loras = await asyncio.to_thread(named_loras, message, self._wildcard_options(asyncio.get_running_loop()))
        settings, words = message.settings, message.settings.conditioning
        return await self.models.choose(settings.checkpoint, loras, words.conditions, words.inpaint_controlnet)

    def _wildcard_options(self, loop: asyncio.AbstractEventLoop) -> Callable[[str], tuple[str, ...]]:
        """The engine's, for a thread beside the event loop; each is asked for once."""
        return cache(lambda name: asyncio.run_coroutine_threadsafe(self._engine.wildcard_options(name), loop).result())

    def _accept(self, session: Session, message: JobOrder, checkpoint: str | BridgeError | None) -> Job:
        if self.shutting_down:
            raise BridgeError("shutting_down")
        self._runner.check_room(session.id)
        if isinstance(checkpoint, BridgeError):
            raise checkpoint
        submit = check_order(message, settings=self.settings, samplers=SAMPLERS, checkpoint=checkpoint)
        pictures = session.pictures.pin(named_pictures(submit))
        self._job_count += 1
        return Job(f"{self._job_count}-{secrets.token_hex(4)}", session, submit, pictures, monotonic())

    async def _learn_device(self) -> None:
        try:
            # Clients are told of one: the first, where there are several.
            self._device = next(iter((await self._engine.devices()).values()))
        except BridgeError as error:
            log(logging.ERROR, "no device", code=error.code, reason=error.message)
            return
        except Exception:  # noqa: BLE001 - jobs will tell the client what is wrong
            log_fault("the device could not be asked for")
            return
        log(logging.INFO, "device", kind=self._device.kind, name=self._device.name, precision=self._device.precision)
        for outbox in self._outboxes():
            outbox.tell(Device(self._device))

    def _outboxes(self) -> list[Outbox]:
        return [session.outbox for session in self._sessions.values() if session.outbox is not None]

    def _forget(self, session: Session) -> None:
        del self._sessions[session.id]
        for job in list(session.jobs.values()):
            self._runner.cancel(job)

    def _limits(self) -> Limits:
        settings = self.settings
        return Limits(
            frame_bytes=FRAME_BYTES,
            picture_pixels=settings.picture_pixels,
            upload_bytes=settings.upload_bytes,
            queued_jobs=settings.queued_jobs,
            batch=settings.batch,
            resume_seconds=settings.resume_seconds,
        )
