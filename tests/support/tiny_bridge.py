"""A tiny bridge for the client's tests: a real websocket server that speaks by the protocol's own state machines,
paints seeded noise, and cuts its connections when a test tells it to.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from job_forms import said
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from bridge.client import Address
from bridge.protocol import messages as m
from bridge.protocol import session as protocol
from bridge.protocol.errors import BridgeError
from bridge.protocol.pixels import IncomingPicture, describe, slice_put
from bridge.protocol.wire import FRAME_BYTES, encode

__all__ = ["TinyBridge"]

TOKEN = "a token of the tests"
DEVICE = m.DeviceInfo("cpu", "tiny", "float32", 0)


@dataclass
class TinySession:
    state: protocol.ServerSession
    incoming: dict[str, IncomingPicture] = field(default_factory=dict)
    pictures: dict[str, Any] = field(default_factory=dict)
    results: dict[str, bytes] = field(default_factory=dict)
    cancels: dict[str, asyncio.Event] = field(default_factory=dict)
    socket: ServerConnection | None = None


class TinyBridge:
    """Runs on a thread of its own. ``gate`` holds all jobs after ``started`` while it is closed.

    ``cut`` is asked at every frame, with ``"in"`` or ``"out"`` and the message; when it says ``"before"`` or
    ``"after"`` (the message was dealt with, or sent), the connection is aborted there, as by a pulled cable. ``refuse``
    is asked for each message of a client, and may give an error to answer with.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.cut: Callable[[str, m.Message], str | None] = lambda *_: None
        self.refuse: Callable[[m.Message], m.Error | None] = lambda _: None
        self.received: list[m.ClientMessage] = []
        self.sessions: dict[str, TinySession] = {}
        self.limits = m.Limits(FRAME_BYTES, 1 << 28, 1 << 30, 16, 4, 60.0)
        self.version = m.PROTOCOL_VERSION
        self.connections = 0
        self.drop_results = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: Server | None = None
        self.port = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.thread.start()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def start(self) -> None:
        self.run(self._start())

    def stop(self) -> None:
        """Close the port and every connection."""
        self.run(self._stop())

    def forget(self) -> None:
        """What a restart does to a bridge's memory."""
        self.run(self._forget())

    def disconnect(self) -> None:
        """Pull the cable, now."""
        self.run(self._disconnect())

    def end(self) -> None:
        self.stop()
        self.forget()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def open_gate(self) -> None:
        self.loop.call_soon_threadsafe(self.gate.set)

    def close_gate(self) -> None:
        self.loop.call_soon_threadsafe(self.gate.clear)

    def address(self, token: str = TOKEN) -> Address:
        return Address(f"ws://127.0.0.1:{self.port}", token, "the test", ("tiny", "serve"))

    def messages(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.received if isinstance(message, kind)]

    # ------------------------------------------------------------ inside

    async def _start(self) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", self.port, compression=None, max_size=FRAME_BYTES, close_timeout=0.1
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._disconnect()
            await self._server.wait_closed()
            self._server = None

    async def _forget(self) -> None:
        self.sessions.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _disconnect(self) -> None:
        for session in self.sessions.values():
            if session.socket is not None:
                session.socket.transport.abort()

    async def _serve(self, socket: ServerConnection) -> None:
        self.connections += 1
        order = protocol.ServerConnection()
        session: TinySession | None = None
        try:
            async for frame in socket:
                try:
                    message = order.receive(frame)
                    self.received.append(message)
                    moment = self.cut("in", message)
                    if moment != "before":
                        session = await self._handle(socket, order, session, message)
                    if moment:
                        socket.transport.abort()
                except BridgeError as error:
                    about = getattr(message, "job", None) or getattr(message, "hash", "")
                    if isinstance(message, m.Plan):
                        about = str(message.request)
                    elif isinstance(message, m.Resume):
                        about = message.session
                    await self._send(socket, m.Error(error.code, error.message, error.hint, about))
                    if error.closes:
                        return
        except ConnectionClosed:
            pass
        finally:
            if session is not None and session.socket is socket:
                session.socket = None

    async def _send(self, socket: ServerConnection | None, message: m.Message) -> None:
        if socket is None:
            return
        moment = self.cut("out", message)
        try:
            if moment != "before":
                await socket.send(encode(message))
        except ConnectionClosed:
            return
        if moment:
            socket.transport.abort()

    async def _handle(
        self,
        socket: ServerConnection,
        order: protocol.ServerConnection,
        session: TinySession | None,
        message: m.ClientMessage,
    ) -> TinySession:
        refusal = self.refuse(message)
        if refusal is not None:
            await self._send(socket, refusal)
            assert session is not None
            return session
        if isinstance(message, m.Hello):
            return await self._greet(socket, order, message)
        assert session is not None
        if isinstance(message, m.Resume):
            return await self._resume(socket, session, message)
        if isinstance(message, m.Plan):
            if message.selection is None:
                raise BridgeError("empty_selection")
            await self._send(socket, m.Planned(message.request, message.selection, m.Mode.FILL, 4.0, 8.0, 12, 64, 64))
        elif isinstance(message, m.Offer):
            lacking = [picture for picture in message.pictures if picture.hash not in session.pictures]
            session.incoming.update({picture.hash: IncomingPicture(picture) for picture in lacking})
            await self._send(socket, m.Wanted(tuple(picture.hash for picture in lacking)))
        elif isinstance(message, m.Put):
            incoming = session.incoming[message.hash]
            incoming.add(message)
            if incoming.complete:
                session.pictures[message.hash] = session.incoming.pop(message.hash).data()
                await self._send(socket, m.Stored(message.hash))
        elif isinstance(message, m.Get):
            if message.hash not in session.results:
                raise BridgeError("picture_unknown")
            await self._send(socket, slice_put(message, session.results[message.hash]))
        elif isinstance(message, m.Submit):
            self._begin(session, message)
        elif isinstance(message, m.Cancel):
            if message.job not in session.state.open_jobs():
                raise BridgeError("job_unknown")
            session.cancels[message.job].set()
        elif isinstance(message, m.Ack):
            for event in session.state.acknowledge(message.event):
                held = {layer.picture.hash for result in session.state.held_results() for layer in result.layers}
                for layer in event.layers if isinstance(event, m.Result) else ():
                    if layer.picture.hash not in held:
                        session.results.pop(layer.picture.hash, None)
        return session

    async def _greet(self, socket: ServerConnection, order: protocol.ServerConnection, hello: m.Hello) -> TinySession:
        if hello.token != TOKEN:
            raise BridgeError("unauthorized")
        if self.version != m.PROTOCOL_VERSION:
            raise BridgeError("version_unsupported", f"This bridge serves {self.version}.")
        order.accept(hello)
        name = f"session {self.connections}"
        session = self.sessions[name] = TinySession(protocol.ServerSession(name), socket=socket)
        await self._send(socket, m.Welcome(self.version, "tiny", name, self.limits, (), ()))
        await self._send(socket, m.Device(DEVICE))
        return session

    async def _resume(self, socket: ServerConnection, fresh: TinySession, message: m.Resume) -> TinySession:
        session = self.sessions.get(message.session)
        if session is None:
            raise BridgeError("session_unknown")
        del self.sessions[fresh.state.id]
        if session.socket is not None and session.socket is not socket:
            session.socket.transport.abort()
        missed = session.state.replay(message.last_event)
        session.incoming.clear()
        await self._send(socket, m.Resumed(session.state.id, len(missed)))
        # Nothing is awaited from here on but these, in order; new events wait for the socket to be known.
        for event in missed:
            await self._send(socket, event)
        sent = message.last_event + len(missed)
        while more := session.state.replay(sent):
            for event in more:
                await self._send(socket, event)
            sent = more[-1].event
        session.socket = socket
        return session

    def _begin(self, session: TinySession, submit: m.Submit) -> None:
        for picture in (submit.picture, submit.selection):
            if picture is not None and picture.hash not in session.pictures:
                raise BridgeError("picture_unknown")
        session.state.begin(submit)
        session.cancels[submit.job] = asyncio.Event()
        task = self.loop.create_task(self._paint(session, submit))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _emit(self, session: TinySession, kind: type[Any], **values: Any) -> None:
        await self._send(session.socket, session.state.emit(kind, **values))

    async def _paint(self, session: TinySession, submit: m.Submit) -> None:
        job, cancel = submit.job, session.cancels[submit.job]
        await self._emit(session, m.Queued, job=job, position=0)
        await self._emit(session, m.Started, job=job)
        for step in range(said(submit).steps or 1):
            waits = [asyncio.ensure_future(event.wait()) for event in (self.gate, cancel)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
            if cancel.is_set():
                await self._emit(session, m.Cancelled, job=job)
                return
            await self._emit(
                session, m.Progress, job=job, stage="denoise", step=step + 1, steps=said(submit).steps or 1
            )
            await self._send(session.socket, m.Preview(job, step + 1, 2, 1, bytes(6)))
        if said(submit).prompt == "fail":
            await self._emit(session, m.Failed, job=job, code="out_of_memory", message="No room.", hint="Less.")
            return
        context = submit.context
        data = random.Random(said(submit).seed).randbytes(context.width * context.height * 4)
        picture = describe(data, width=context.width, height=context.height, channels=4)
        if said(submit).prompt == "lie":
            picture = replace(picture, hash="0" * 64)
        if not self.drop_results:
            session.results[picture.hash] = data
        layer = m.Layer(context.x, context.y, picture, recipe(submit))
        await self._emit(
            session, m.Result, job=job, layers=(layer,), reach=3, timings={"denoise": 0.5}, hints=("a hint",)
        )


def recipe(submit: m.Submit) -> m.Recipe:
    asked = said(submit)
    settings = m.job_settings({
        "kind": asked.kind, "mode": m.Mode.FILL, "prompt": asked.prompt, "strength": 1.0, "seed": asked.seed or 0,
        "steps": asked.steps or 1, "guidance": 5.0, "sampler": "DDIM", "checkpoint": "tiny", "grow": 4.0,
        "feather": 8.0, "strict": asked.strict,
    })  # fmt: skip
    return m.Recipe(settings, submit.context, "", 64, 64, False, "cpu float32", {"bridge": "tiny"})
