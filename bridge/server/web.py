"""The HTTP and websocket side: Starlette on uvicorn, from the first byte of a request to one :class:`Connection`."""

from __future__ import annotations

import asyncio
import logging

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from ..imaging.process import Imaging
from ..protocol.errors import BridgeError, CloseCode
from .access import host_allowed, origin_allowed
from .apis.app import unknown, with_apis
from .connection import Connection, Socket
from .logs import log
from .page import page_routes
from .service import Service

__all__ = ["WEBSOCKET_PATH", "FrugalHttp", "FrugalWebSocket", "build_app"]

WEBSOCKET_PATH = "/ws"

_MOST_SOCKETS = 512
_REQUEST_SECONDS = 10.0
_MOST_UNREAD_BYTES = 8 << 20
_MOST_FRAGMENTS = 1024


class FrugalHttp(H11Protocol):
    """uvicorn's HTTP, which breaks off with a peer that does not ask for anything, and with a crowd."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > _MOST_SOCKETS:
            transport.abort()
        else:
            self.loop.call_later(_REQUEST_SECONDS, self._expect_request)

    def _expect_request(self) -> None:
        if self.cycle is None and self.transport.get_protocol() is self:
            self.transport.abort()


class FrugalWebSocket(WebSocketsSansIOProtocol):
    """uvicorn's websocket, which breaks off with a peer that would fill the memory with what no size limit counts."""

    def handle_ping(self) -> None:
        super().handle_ping()
        # A peer that reads no pongs: no other answer is written without waiting until it reads.
        if self.transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
            self.transport.abort()

    def handle_cont(self, event: Frame) -> None:
        super().handle_cont(event)
        # Fragments may be empty, and there is no end to those.
        if len(self.frames) > _MOST_FRAGMENTS:
            self.transport.abort()


def build_app(service: Service, imaging: Imaging, own_hosts: tuple[str, ...] = ()) -> ASGIApp:
    """The bridge as an ASGI application. ``own_hosts`` are names by which it may be called, besides the settings'."""
    counts = _Counts(service)

    routes = [*page_routes(), WebSocketRoute(WEBSOCKET_PATH, counts.serve)]
    app = Starlette(routes=routes, exception_handlers={HTTPException: unknown})
    # Behind a proxy the path is another, which is not known here.
    app.router.redirect_slashes = False
    return _Doorkeeper(with_apis(app, service, imaging), service, own_hosts)


class _Doorkeeper:
    """Refuses requests whose Host or Origin is not right with 403, before anything looks at them."""

    def __init__(self, app: ASGIApp, service: Service, own_hosts: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = (*own_hosts, *service.settings.allowed_hosts)
        self._origins = service.settings.allowed_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not self._admits(scope):
            log(logging.WARNING, "refused", host=_values(scope, "host"), origin=_values(scope, "origin"))
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": CloseCode.REFUSED})
            else:
                await PlainTextResponse("This name or page may not call the bridge.\n", 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        hosts, origins = _values(scope, "host"), _values(scope, "origin")
        if len(hosts) != 1 or len(origins) > 1 or not host_allowed(hosts[0], self._hosts):
            return False
        tls = scope["scheme"] in ("https", "wss")
        return origin_allowed(origins[0] if origins else None, hosts[0], tls=tls, allowed=self._origins)


def _values(scope: Scope, header: str) -> list[str]:
    return [value.decode("latin-1") for name, value in scope["headers"] if name == header.encode()]


class _Counts:
    """How many connections there are, and how many of them have not shown the token."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._open: set[Connection] = set()

    async def serve(self, websocket: WebSocket) -> None:
        await websocket.accept()
        connection = Connection(_socket(websocket), self._service)
        refused = self._refusal()
        if refused is not None:
            # Not counted, or a crowd at the door would keep itself out and everybody else too.
            await connection.run(refused=refused)
            return
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)

    def _refusal(self) -> BridgeError | None:
        settings = self._service.settings
        strangers = sum(not connection.greeted for connection in self._open)
        if self._service.shutting_down:
            return BridgeError("shutting_down")
        if len(self._open) >= settings.connections:
            return BridgeError(
                "too_many_connections",
                "{count} clients are connected, which is the bridge's limit.",
                "Close one of them, or raise `connections` in the bridge's settings.",
                count=len(self._open),
            )
        if strangers >= settings.unauthenticated_connections:
            # Whoever they are, they have to show the token soon, or make room.
            return BridgeError(
                "too_many_connections",
                "{count} clients are connecting at this moment, which is the bridge's limit.",
                "Connect again in a few seconds.",
                count=strangers,
            )
        return None


def _socket(websocket: WebSocket) -> Socket:
    async def receive() -> bytes | None:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        return message.get("bytes") or b""

    async def send(frame: bytes) -> None:
        try:
            await websocket.send_bytes(frame)
        except WebSocketDisconnect:
            raise ConnectionResetError from None

    async def close(code: int) -> None:
        try:
            await websocket.close(code)
        except WebSocketDisconnect:
            raise ConnectionResetError from None

    return Socket(receive, send, close)
