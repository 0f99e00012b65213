"""The connection to the bridge, which lasts as long as one procedure runs; and how it is made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Optional, TypeVar

from gi.repository import Gimp

from bridge.client import Address, Bridge, BridgeNotFound, ConnectionLost, Job, JobResult, discover
from bridge.client.job import JobUpdate
from bridge.client.starting import can_start, start
from bridge.client.words import how_to_start
from bridge.protocol.messages import DeviceInfo, OnDisconnect, Planned, Welcome

from .main_loop import Finish, Wait, on_main_thread, raising
from .settings import Settings
from .translation import _

__all__ = ["Connection", "connect", "start_and_connect", "startable"]

T = TypeVar("T")

# The bridge says where its models run when it has looked, which may be after the welcome.
_DEVICE_SECONDS = 60.0


class Connection:
    """Use it as a context manager.

    GIMP ends a plug-in by killing it, so its jobs end with their connection; a wait here ends with ``ConnectionLost``
    as soon as the connection breaks.
    """

    def __init__(self, address: Address) -> None:
        """Connects, and blocks meanwhile: for a thread. Raises what :class:`bridge.client.Bridge` does."""
        self.address = address
        self._wait: Optional[Wait[Any]] = None
        self._broken = False
        self._device_known = threading.Event()
        version = f"GIMP {Gimp.MAJOR_VERSION}.{Gimp.MINOR_VERSION}.{Gimp.MICRO_VERSION}"
        self._bridge = Bridge(
            address,
            client=version,
            on_connection=self._changed,
            on_device=lambda _device: self._device_known.set(),
        )

    @property
    def welcome(self) -> Welcome:
        """What the bridge has to offer."""
        return self._bridge.welcome

    def device(self) -> Optional[DeviceInfo]:
        """Where the models run; None: not known within a minute. Blocks: for a thread."""
        if self._bridge.device is None:
            self._device_known.wait(_DEVICE_SECONDS)
        return self._bridge.device

    def plan(self, **fields: Any) -> Planned:
        """As :meth:`bridge.client.Bridge.plan`."""

        def start(finish: Finish[Planned]) -> None:
            self._bridge.plan_soon(**fields).add_done_callback(lambda future: finish(future.result))

        return self._until(start)

    def paint(self, on_event: Callable[[JobUpdate], None], **fields: Any) -> JobResult:
        """Submit a job and wait for its layers. ``on_event`` is called on the main thread; what it raises ends the
        wait.
        """

        def start(finish: Finish[JobResult]) -> None:
            def follow(event: JobUpdate) -> None:
                try:
                    on_event(event)
                except Exception as error:  # noqa: BLE001 - raised again where the wait is
                    finish(raising(error))

            def done(job: Job) -> None:
                finish(job.result)

            self._bridge.submit(
                on_event=lambda event: on_main_thread(partial(follow, event)),
                on_done=done,
                on_disconnect=OnDisconnect.CANCEL,
                **fields,
            )

        return self._until(start)

    def close(self) -> None:
        """Leave; a job that is under way ends."""
        self._bridge.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _until(self, start: Callable[[Finish[T]], None]) -> T:
        wait = self._wait = Wait[T]()
        try:
            # Checked once `_wait` is set, so that `_changed` cannot miss it.
            if self._broken:
                raise _lost()
            return wait.until(start)
        finally:
            self._wait = None

    def _changed(self, state: str, _reason: Optional[Exception]) -> None:
        """Called on the client's thread."""
        self._broken = state != "open"
        wait = self._wait
        if self._broken and wait is not None:
            wait.finish(raising(_lost()))


def connect(settings: Settings) -> Connection:
    """Connect to the running bridge. Blocks: for a thread.

    Raises:
        BridgeNotFound: there is none; its hint has the exact commands that install and start one, on this system.
        BridgeError, ClientError: it refused, or its address is of no use.
    """
    try:
        return Connection(discover(url=settings.address, token=settings.token))
    except BridgeNotFound as error:
        raise type(error)(error.message, how_to_start(error, _), error.start_command) from error


def start_and_connect(error: BridgeNotFound, settings: Settings) -> Connection:
    """Start the bridge that was not found, and connect. Blocks: for a thread.

    Raises:
        StartFailed, BridgeError, ClientError
    """
    start(error.start_command)
    return connect(settings)


def startable(error: Exception) -> Optional[BridgeNotFound]:
    """The error, if it says that no bridge was found and one could be started."""
    return error if isinstance(error, BridgeNotFound) and can_start(error.start_command) else None


def _lost() -> ConnectionLost:
    return ConnectionLost(
        _("The connection to the bridge broke, and the job ended with it; the image is as it was."),
        _("Start the bridge again if it has stopped, then repeat the filter."),
    )
