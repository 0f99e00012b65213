"""A thin shell that carries :class:`~..protocol.session.ClientSession` to sockets, one after the other.

All of it runs on one event loop. A lost connection is opened again with growing pauses and the session resumed, so that
events arrive exactly once; whoever waited for an answer gets :class:`Disconnected`, and asks again once the connection
is open.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Callable, Optional, Protocol, Union

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from ..errors import Sentence
from ..protocol.errors import BridgeError
from ..protocol.messages import CHUNK_BYTES, ClientMessage, Error, Resumed, ServerMessage, Welcome
from ..protocol.session import ClientSession
from ..protocol.wire import FRAME_BYTES, encode
from .answers import JOB_EVENTS, Answers, Disconnected, Key
from .discovery import Address, start_hint
from .errors import BridgeClosed, BridgeNotFound, ConnectionLost, NotRunning, error_from_wire

__all__ = ["Connection", "Listener"]

_OPEN_SECONDS = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
# A busy host may hold the interpreter's lock for long; the connection must survive that.
_PING_SECONDS, _PING_TIMEOUT = 20.0, 60.0
# Codes that another attempt cannot mend.
_FINAL = ("unauthorized", "version_unsupported", "bad_frame", "frame_too_large")


class Listener(Protocol):
    """Who is told. All methods are called on the loop, and return soon."""

    def received(self, message: ServerMessage) -> None:
        """Events, each exactly once and in order; whatever else comes; refusals that nobody waited for."""

    def opened(self) -> None:
        """Connected, whatever was missed has been received, and jobs may be sent."""

    def interrupted(self, reason: Optional[Exception]) -> None:
        """The connection is gone; it is being opened again. Told anew, with the reason, whenever nobody answers."""

    def session_lost(self, jobs: tuple[str, ...], error: BridgeError) -> None:
        """The bridge has the session no more, and with it these jobs; the error says why. A fresh session is open."""

    def ended(self, error: Exception) -> None:
        """There will be no further connection."""


class Connection:
    """One session with the bridge, over as many sockets as it takes.

    Args:
        locate: names the address; asked again before every attempt, since a bridge that was started anew listens
            elsewhere.
        client: name and version of the host's plug-in, for the bridge's log.
    """

    def __init__(self, *, locate: Callable[[], Address], client: str, listener: Listener) -> None:
        self._locate = locate
        self._listener = listener
        self._session = ClientSession(client=client)
        self._socket: Optional[ClientConnection] = None
        self._replaying = 0
        self._posts: set[asyncio.Task[None]] = set()
        self._is_open = asyncio.Event()
        self._error: Optional[Exception] = None
        self._runner: Optional[asyncio.Task[None]] = None
        self.answers = Answers()
        self.welcome: Optional[Welcome] = None
        # Why the last session was lost that was.
        self.session_error = BridgeError("session_unknown")

    @property
    def session(self) -> ClientSession:
        return self._session

    async def open(self) -> Welcome:
        """Connect for the first time; from then on the connection looks after itself.

        Raises:
            BridgeNotFound, BadAddress, InsecureAddress: as :func:`.discovery.discover`, and when nobody answers.
            BridgeError: the bridge refused the client.
        """
        await self._attach()
        assert self.welcome is not None
        self._runner = asyncio.get_running_loop().create_task(self._run())
        return self.welcome

    async def close(self) -> None:
        """Leave. Jobs with ``on_disconnect: keep`` go on at the bridge."""
        self._end(BridgeClosed())
        if self._runner is not None:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
        await self._detach()

    # ------------------------------------------------------------ sending

    async def wait_open(self) -> None:
        """Wait until jobs may be sent.

        Raises:
            ClientError, BridgeError: there will be no further connection.
        """
        await self._is_open.wait()
        if self._error is not None:
            raise self._error

    async def send(self, message: ClientMessage) -> None:
        """Send, and wait while the socket's buffer is full.

        Raises:
            Disconnected
        """
        socket = self._socket
        if socket is None or not self._session.open:
            raise Disconnected
        try:
            await socket.send(encode(message))
        except ConnectionClosed:
            if self._socket is socket and self._error is None:
                # The reader has not noticed yet; nobody may try again before it has.
                self._is_open.clear()
            raise Disconnected from None

    def post(self, message: ClientMessage) -> None:
        """Send soon, in the order of the calls, without waiting. What a lost connection swallows is not sent again."""
        task = asyncio.get_running_loop().create_task(self._post(message))
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    async def _post(self, message: ClientMessage) -> None:
        with contextlib.suppress(Disconnected):
            await self.send(message)

    async def ask(self, message: ClientMessage, key: Key, *about: str) -> Any:
        """Send, and wait for the answer. Raises as :meth:`send` and :meth:`.answers.Answers.expect`."""
        with self.answers.expect(key, *about) as answer:
            await self.send(message)
            return await answer

    # ------------------------------------------------------------ sockets

    async def _attach(self) -> None:
        """Open a socket, greet, and resume if there is a session already."""
        address = self._locate()
        socket = await self._dial(address)
        self._socket = socket
        try:
            await socket.send(encode(self._session.connect(address.token)))
            while not self._is_open.is_set():
                frame = await asyncio.wait_for(socket.recv(), _OPEN_SECONDS)
                await self._take(frame)
        except (ConnectionClosed, asyncio.TimeoutError) as error:
            await self._detach()
            raise _not_running(address) from error
        except BaseException:
            await self._detach()
            raise

    async def _dial(self, address: Address) -> ClientConnection:
        try:
            return await connect(
                address.url,
                compression=None,
                max_size=FRAME_BYTES,
                write_limit=CHUNK_BYTES,
                proxy=None,
                open_timeout=_OPEN_SECONDS,
                ping_interval=_PING_SECONDS,
                ping_timeout=_PING_TIMEOUT,
                close_timeout=1.0,
            )
        except InvalidStatus as error:
            raise _not_running(address, error.response.status_code) from error
        except (OSError, asyncio.TimeoutError, InvalidHandshake, EOFError) as error:
            raise _not_running(address) from error

    async def _detach(self) -> None:
        socket, self._socket = self._socket, None
        self._session.disconnected()
        self._replaying = 0
        if self._error is None:
            self._is_open.clear()
        self.answers.break_off()
        if socket is not None:
            await socket.close()

    async def _run(self) -> None:
        try:
            while True:
                await self._read()
                await self._detach()
                self._listener.interrupted(None)
                await self._reattach()
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            self._end(error)
            await self._detach()

    async def _read(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._take(await self._socket.recv())

    async def _reattach(self) -> None:
        """Try again with growing pauses, for as long as the bridge keeps the session."""
        assert self.welcome is not None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.welcome.limits.resume_seconds
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._attach()
                return
            except BridgeError as error:
                if error.code in _FINAL:
                    raise
                reason: Exception = error
            except BridgeNotFound as error:
                reason = error
                self._listener.interrupted(error)
            if loop.time() >= deadline:
                raise ConnectionLost(
                    "The connection to the bridge broke, and did not come back.", "Start the bridge, and connect again."
                ) from reason
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _end(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
            self._is_open.set()
            self._listener.ended(error)

    # ------------------------------------------------------------ receiving

    async def _take(self, frame: Union[str, bytes]) -> None:
        if isinstance(frame, str):
            raise BridgeError("bad_frame")
        known_session = self._session.session
        message, reply = self._session.receive(frame)
        if reply is not None and self._socket is not None:
            await self._socket.send(encode(reply))
        if message is None:
            return
        if isinstance(message, Error):
            self._refused(message, known_session)
        elif isinstance(message, Welcome):
            self.welcome = message
            if reply is None:
                self._ready()
        elif isinstance(message, Resumed):
            self._replaying = message.replayed
            if not self._replaying:
                self._ready()
        else:
            self._deliver(message)

    def _deliver(self, message: ServerMessage) -> None:
        self.answers.resolve(message)
        self._listener.received(message)
        if self._replaying and isinstance(message, JOB_EVENTS):
            self._replaying -= 1
            if not self._replaying:
                self._ready()

    def _refused(self, message: Error, known_session: Optional[str]) -> None:
        error = error_from_wire(message.code, message.message, message.hint)
        if not self._is_open.is_set():
            # Before the connection is open nothing was asked but to be let in.
            if self._session.session == known_session:
                raise error
            self.session_error = error
            self._listener.session_lost(self._session.lost_jobs, error)
            self._ready()
            return
        if error.code in _FINAL:
            raise error
        if not self.answers.refuse(error, message.about):
            self._listener.received(message)

    def _ready(self) -> None:
        self._is_open.set()
        self._listener.opened()


def _not_running(address: Address, status: Optional[int] = None) -> NotRunning:
    words = Sentence("The call to the bridge at {url} got no answer.", url=address.url)
    if status is not None:
        words = Sentence("The call to the bridge at {url} was refused (HTTP {status}).", url=address.url, status=status)
    return NotRunning(words, start_hint(address.start_command), address.start_command)
