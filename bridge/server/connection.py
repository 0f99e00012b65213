"""One socket's life: hello in time, then messages, each answered or refused on its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ..protocol.errors import BridgeError, CloseCode
from ..protocol.messages import (
    Ack,
    Browse,
    Cancel,
    ClientMessage,
    Closing,
    Error,
    Forget,
    Get,
    Hello,
    KeepDocument,
    Mark,
    Offer,
    Plan,
    Pull,
    Put,
    Resume,
    Stop,
    Stored,
    Submit,
    Train,
    Wanted,
)
from ..protocol.session import ServerConnection
from .access import token_matches
from .errors import PictureRefused
from .logs import log, log_fault
from .outbox import Outbox
from .service import Service
from .session import Session

__all__ = ["HELLO_BYTES", "STALLED_SECONDS", "Connection", "Socket"]

HELLO_BYTES = 16 << 10
"""Most bytes of the first message."""
STALLED_SECONDS = 60.0
"""How long a client may take nothing of what is sent to it."""

_FAREWELL_SECONDS = 5.0


class Socket:
    """The three things that a connection asks of a websocket."""

    def __init__(
        self,
        receive: Callable[[], Awaitable[bytes | None]],
        send: Callable[[bytes], Awaitable[None]],
        close: Callable[[int], Awaitable[None]],
    ) -> None:
        """``receive`` returns None when the socket is closed, and empty bytes for what is not a binary frame."""
        self.receive = receive
        self.send = send
        self.close = close


class _Refused(Exception):
    """The connection ends; the reason has been said."""


class Connection:
    """Reads one socket and answers it. All that outlives the socket is in the session."""

    def __init__(self, socket: Socket, service: Service) -> None:
        self._socket = socket
        self._service = service
        self._order = ServerConnection()
        self._outbox = Outbox()
        self._session: Session | None = None
        self._hello_limit: asyncio.Timeout | None = None

    @property
    def greeted(self) -> bool:
        """Whether the client has shown the token."""
        return self._order.greeted

    async def run(self, *, refused: BridgeError | None = None) -> None:
        """Serve the socket until it ends. With ``refused``, say so and close it."""
        sender = asyncio.create_task(
            self._outbox.run(self._socket.send, self._socket.close, stalled_seconds=STALLED_SECONDS)
        )
        reader = asyncio.create_task(self._refuse(refused) if refused else self._read())
        try:
            await asyncio.wait((sender, reader), return_when=asyncio.FIRST_COMPLETED)
            if reader.done() and not reader.cancelled() and isinstance(reader.exception(), _Refused):
                # Why it ends has been said; let that go out.
                await asyncio.wait((sender,), timeout=_FAREWELL_SECONDS)
        finally:
            if self._session is not None:
                self._service.lose(self._session, self._outbox)
            for task in (reader, sender):
                task.cancel()
            outcomes = await asyncio.gather(reader, sender, return_exceptions=True)
        for outcome in outcomes:
            # A socket that breaks while something is being sent is an ordinary end.
            if isinstance(outcome, Exception) and not isinstance(outcome, OSError | TimeoutError | _Refused):
                log_fault("a connection broke off", outcome)

    async def _refuse(self, error: BridgeError) -> None:
        self._say_last(error)
        raise _Refused

    async def _read(self) -> None:
        try:
            async with asyncio.timeout(self._service.settings.hello_seconds) as self._hello_limit:
                while self._session is None:
                    frame = await self._socket.receive()
                    if frame is None:
                        return
                    await self._receive(frame)
        except TimeoutError:
            self._say_last(BridgeError("hello_timeout"))
            raise _Refused from None
        while (frame := await self._socket.receive()) is not None:
            if self._session.outbox is not self._outbox:
                # Taken over by another connection: what still comes in here is nobody's.
                return
            await self._receive(frame)

    async def _receive(self, frame: bytes) -> None:
        message: ClientMessage | None = None
        try:
            if not self.greeted and len(frame) > HELLO_BYTES:
                raise BridgeError("frame_too_large", "The first message must be hello, and is short.")
            message = self._order.receive(frame)
            await self._handle(message)
        except BridgeError as error:
            if error.closes or (isinstance(message, Hello) and self._session is None):
                self._say_last(error, message)
                raise _Refused from None
            await self._outbox.answer(_error(error, message))
        except Exception:  # noqa: BLE001 - one message's fault must not end the others' connection
            log_fault("a message ran into an unforeseen error", type=type(message).__name__)
            await self._outbox.answer(_error(BridgeError("internal"), message))

    async def _handle(self, message: ClientMessage) -> None:
        if isinstance(message, Hello):
            await self._greet(message)
            return
        session = self._session
        if session is None:
            raise BridgeError("unexpected_message")
        if not isinstance(message, Resume):
            session.resumable = True
        match message:
            case Plan():
                await self._outbox.answer(await self._service.plan(message))
            case Offer():
                await self._outbox.answer(Wanted(session.pictures.offer(message)))
            case Put():
                if session.pictures.put(message):
                    await self._outbox.answer(Stored(message.hash))
            case Get():
                await self._outbox.answer(await self._service.fetch(session, message))
            case Submit() | Train():
                await self._service.submit(session, message)
            case Cancel():
                self._service.cancel(session, message.job)
            case Ack():
                session.acknowledge(message.event)
            case Pull():
                await self._service.models.pull(message.name, self._outbox)
            case Stop():
                self._service.models.stop(message.name)
            case Browse():
                await self._outbox.answer(await self._service.library.browse(message))
            case Mark() | Forget() | KeepDocument():
                await self._outbox.answer(await self._service.library.change(message))
            case Resume():
                self._session = self._service.resume(message, session, self._outbox)
                log(logging.INFO, "resumed", session=self._session.id[:8])

    async def _greet(self, hello: Hello) -> None:
        if not token_matches(hello.token, self._service.token()):
            log(logging.WARNING, "refused", client=hello.client, code="unauthorized")
            raise BridgeError("unauthorized")
        self._order.accept(hello)
        if self._hello_limit is not None:
            # The client has done its part; from here on the bridge takes its time.
            self._hello_limit.reschedule(None)
        self._session = await self._service.open_session(self._outbox, hello.client)
        log(logging.INFO, "connected", client=hello.client, session=self._session.id[:8])

    def _say_last(self, error: BridgeError, message: ClientMessage | None = None) -> None:
        if error.code == "shutting_down":
            self._outbox.close(CloseCode.GOING_AWAY, Closing(error.message))
            return
        code = CloseCode.TRY_LATER if error.code == "too_many_connections" else CloseCode.REFUSED
        self._outbox.close(code, _error(error, message))


def _error(error: BridgeError, message: ClientMessage | None) -> Error:
    about = error.picture_hash if isinstance(error, PictureRefused) else _about(message)
    return Error(error.code, error.message, error.hint, about)


def _about(message: Any) -> str:
    match message:
        case Plan() | Browse() | Mark() | Forget() | KeepDocument():
            return str(message.request)[:64]
        case Put() | Get():
            return message.hash
        case Submit() | Train() | Cancel():
            return message.job
        case Pull() | Stop():
            return message.name
        case Resume():
            return message.session
        case _:
            return ""
