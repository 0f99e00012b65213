"""The bridge as a host uses it: blocking calls from any thread, callbacks, and one thread of its own for the socket."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
import uuid
from collections.abc import Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar, Union, cast

from ..protocol.messages import (
    Checkpoints,
    ContextChoice,
    DeviceInfo,
    Document,
    Extent,
    OnDisconnect,
    Plan,
    Planned,
    Pull,
    Pulling,
    Rect,
    ResultFormat,
    Submit,
    Welcome,
    job_fields,
    job_settings,
)
from ..protocol.wire import decode_client, encode
from .discovery import Address, discover
from .errors import BridgeClosed
from .job import Job, JobUpdate, Pixels
from .jobs import ConnectionCallback, Jobs
from .library import KeptResults
from .lora_training import LoraTraining
from .model_lists import PullCallback
from .options import SettingsOptions
from .painting import Painting
from .request import Request, TrainRequest

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Bridge"]

T = TypeVar("T")


class Bridge(Painting, LoraTraining, KeptResults):
    """A connection to the bridge. Use it as a context manager, or call :meth:`close`. Scripts find what they need in
    :class:`.painting.Painting`; what is here serves hosts, which own their document and may not wait.

    All socket work is done by one thread, on which the callbacks are called too: they must return soon, and may not
    block on the bridge (``submit`` and ``cancel`` do not). A connection that breaks is opened again by itself, and no
    event is lost or comes twice. When the bridge was restarted meanwhile, its jobs fail with ``session_unknown``, and
    with ``session_dropped`` when it gave up waiting; they may be submitted again here.
    """

    def __init__(
        self,
        address: Optional[Address] = None,
        *,
        client: str = "paintbridge-client",
        on_connection: Optional[ConnectionCallback] = None,
        on_device: Optional[Callable[[DeviceInfo], None]] = None,
        on_checkpoints: Optional[Callable[[Checkpoints], None]] = None,
        on_pull: Optional[PullCallback] = None,
    ) -> None:
        """Connect.

        Args:
            address: where to; None: what :func:`.discovery.discover` finds, looked up again whenever the connection
                has to be opened again.
            client: name and version of the host's plug-in, for the bridge's log.
            on_connection: called with ``"open"``, ``"interrupted"`` or ``"closed"``, and the reason; ``"interrupted"``
                has none at first, and is told anew with one whenever nobody answers.
            on_device: called when the bridge knows where its models run.
            on_checkpoints: called with the lists of checkpoints, those here and those recommended: at first, and
                whenever they have changed.
            on_pull: called with whatever is said of pulls, also of those that other clients asked for.

        Raises:
            BridgeNotFound, NotRunning: no bridge; ``start_command`` is what starts one.
            BadAddress, InsecureAddress: what names the bridge is of no use.
            BridgeError: the bridge refused: ``unauthorized``, ``version_unsupported``, ``too_many_connections``.
        """
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="paintbridge-client", daemon=True)
        self._closed = False
        self._closing = threading.Lock()
        self._thread.start()
        locate = discover if address is None else lambda: address

        async def begin() -> tuple[Jobs, Welcome]:
            jobs = Jobs(
                locate=locate,
                client=client,
                on_connection=on_connection,
                on_device=on_device,
                on_checkpoints=on_checkpoints,
                on_pull=on_pull,
            )
            return jobs, await jobs.open()

        try:
            self._jobs, self.welcome = self._spawn(begin()).result()
        except BaseException:
            self._stop()
            raise

    @property
    def device(self) -> Optional[DeviceInfo]:
        """Where the models run; None while the bridge does not know yet."""
        return self._jobs.device

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints and LoRAs that are here, and the recommended checkpoints, as the bridge said last."""
        return self._jobs.model_lists.checkpoints

    def plan(self, *, timeout: Optional[float] = None, **fields: Any) -> Planned:
        """Ask for a job's context rectangle, and wait for the answer. Fields as in :meth:`plan_soon`.

        Raises:
            BridgeError: refused, for example with ``empty_selection``.
            ClientError: the connection is gone for good.
            TimeoutError: no answer within ``timeout`` seconds.
            RuntimeError: on the client's own thread.
        """
        self._may_block()
        try:
            return self.plan_soon(**fields).result(timeout)
        except concurrent.futures.TimeoutError:
            raise TimeoutError(f"The bridge has not answered within {timeout} seconds.") from None

    def plan_soon(
        self,
        *,
        canvas: Extent,
        selection: Optional[Rect] = None,
        context: Optional[ContextChoice] = None,
        **settings: Unpack[SettingsOptions],
    ) -> concurrent.futures.Future[Planned]:
        """As :meth:`plan`, without waiting. ``selection``: its bounds; None: the whole canvas. The others are those of
        :class:`~..protocol.messages.JobSettings` and its groups, by their names. The future's own callbacks are called
        on the client's thread.
        """
        pictured = {name for name, field in job_fields().items() if field.with_pictures}
        known = job_settings({name: value for name, value in settings.items() if name not in pictured})
        message = Plan(0, canvas, selection, context or ContextChoice(), known)
        decode_client(encode(message))
        return self._spawn(self._jobs.plan(message))

    def submit(
        self,
        *,
        canvas: Extent,
        context: Rect,
        picture: Optional[Pixels] = None,
        selection: Optional[Pixels] = None,
        result: Optional[ResultFormat] = None,
        on_disconnect: str = OnDisconnect.KEEP,
        document: Optional[Document] = None,
        on_event: Optional[Callable[[JobUpdate], None]] = None,
        on_done: Optional[Callable[[Job], None]] = None,
        **settings: Unpack[SettingsOptions],
    ) -> Job:
        """Send a job; returns at once. The fields are those of :class:`~..protocol.messages.Submit`, the others those
        of its settings and their groups, by their names. ``context`` is what :meth:`plan` gave, and ``picture``,
        ``selection`` and the pictures of ``conditions`` and ``regions`` are the pixels of just that rectangle.

        Raises:
            BridgeError: ``out_of_range``, ``wrong_type``, ``picture_mismatch``: what can be told without the bridge.
                Whatever the bridge itself refuses, :meth:`.job.Job.result` raises.
            TypeError: an option that there is not; pixels without a contiguous buffer.
            BridgeClosed: after :meth:`close`.
        """
        job = Job(uuid.uuid4().hex, cancel=self._cancel, may_block=self._may_block, on_event=on_event, on_done=on_done)
        conditions, regions = settings.pop("conditions", ()), settings.pop("regions", ())
        message = Submit(
            job=job.id,
            canvas=canvas,
            context=context,
            settings=job_settings(settings),
            result=result or ResultFormat(),
            # A name that there is not is told by the decoder.
            on_disconnect=cast(OnDisconnect, on_disconnect),
            document=document,
        )
        request = Request.of(message, picture=picture, selection=selection, conditions=conditions, regions=regions)
        self._dispatch(job, request)
        return job

    def pull(
        self, name: str, on_progress: Optional[Callable[[Pulling], None]] = None
    ) -> concurrent.futures.Future[str]:
        """Have the bridge fetch a recommended checkpoint; returns at once. The future gives its name among the
        checkpoints, or raises BridgeError, ``pull_stopped`` for example; its own callbacks, and ``on_progress``, are
        called on the client's thread. It outlasts lost connections and a restart of the bridge.

        Raises:
            BridgeError: ``out_of_range`` for what can be no checkpoint's name.
            BridgeClosed: after :meth:`close`.
        """
        decode_client(encode(Pull(name)))
        return self._spawn(self._jobs.model_lists.pull(name, on_progress))

    def stop_pull(self, name: str) -> None:
        """Stop the pull of a checkpoint, whoever asked for it; returns at once. What has come is kept."""
        self._post(self._jobs.model_lists.stop, name)

    def close(self) -> None:
        """Leave. Jobs with ``on_disconnect="keep"`` go on at the bridge; here all that have not ended fail with
        :class:`.errors.BridgeClosed`.

        Raises:
            RuntimeError: on the client's own thread.
        """
        self._may_block()
        with self._closing:
            if not self._closed:
                left = self._spawn(self._jobs.close())
                self._closed = True
                left.result()
                self._stop()

    def __enter__(self) -> Bridge:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    # ------------------------------------------------------------ the thread

    def _dispatch(self, job: Job, request: Union[Request, TrainRequest]) -> None:
        self._post(self._jobs.submit, job, request)

    def _cancel(self, job: Job) -> None:
        with contextlib.suppress(BridgeClosed):
            self._post(self._jobs.cancel, job)

    def _post(self, function: Callable[..., None], *arguments: object) -> None:
        if self._closed:
            raise BridgeClosed
        self._loop.call_soon_threadsafe(function, *arguments)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        if self._closed:
            work.close()
            raise BridgeClosed
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _may_block(self) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError("A callback of the bridge must not wait for the bridge: it would wait for itself.")

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(_cancel_others())
        self._loop.close()

    def _stop(self) -> None:
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


async def _cancel_others() -> None:
    """End what sockets leave behind, such as their keep-alive."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
