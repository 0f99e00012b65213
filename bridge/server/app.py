"""The bridge as a process: takes its home's lock, listens, says where, and ends gracefully when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from ..engine.local import EngineSettings, LocalEngine
from ..engine.port import Engine
from ..errors import Sentence
from ..home import Home, find_home
from ..imaging.process import Imaging
from ..protocol.wire import FRAME_BYTES
from .access import check_listening, is_loopback
from .errors import AddressUnavailable, SettingsError
from .logs import configure_logs, log
from .runtime import RuntimeFile, check_home
from .service import Service
from .settings import Settings
from .web import WEBSOCKET_PATH, FrugalHttp, FrugalWebSocket, build_app

__all__ = ["PING_SECONDS", "PONG_SECONDS", "BridgeServer", "serve"]

_SIGNALS = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "win32":
    _SIGNALS.append(signal.SIGBREAK)
PING_SECONDS = 20.0
PONG_SECONDS = 60.0
"""How long a ping's answer may take. A host's interpreter can be busy for long, with a filter or a large document; only
what is truly gone is cut.
"""


def serve(
    settings: Settings,
    on_ready: Callable[[str], None] | None = None,
    *,
    start_command: Sequence[str] | None = None,
    home: Path | None = None,
) -> None:
    """Run a bridge until SIGINT or SIGTERM. Prints one line with its address when it listens.

    A second signal ends the process at once. To be called on the main thread, where signals arrive.

    Args:
        on_ready: called with the websocket's address when it listens.
        start_command: what starts this bridge again, for the runtime file.
        home: the bridge's folder; None: as :func:`bridge.home.find_home`.

    Raises:
        StartError: it cannot start; the message says why, and the hint what to do.
    """
    home = home or find_home().folder
    configure_logs(level=settings.log_level, form=settings.log_format)

    def ready(url: str) -> None:
        # What has been imported stays: looked through at each collection, it would put them off for so long that what
        # connections and requests leave behind would pile up.
        gc.freeze()
        print(f"Paintbridge listens on {url}", flush=True)
        if on_ready is not None:
            on_ready(url)

    async def run() -> None:
        server = BridgeServer(settings, home=home, start_command=start_command)
        with _stopped_by_signals(server.stop):
            await server.run(ready)

    asyncio.run(run())


class BridgeServer:
    """One bridge on one event loop. ``engine`` takes the local engine's place."""

    def __init__(
        self,
        settings: Settings,
        *,
        home: Path,
        engine: Engine | None = None,
        start_command: Sequence[str] | None = None,
    ) -> None:
        self.settings = settings
        self.url = ""
        self.runtime = RuntimeFile(home)
        self._start_command = list(start_command or default_start_command())
        folders = (Home(home).models, *settings.models_folders)
        self._engine = engine or LocalEngine(
            EngineSettings(
                models=tuple(map(str, folders)), default_checkpoint=settings.default_checkpoint, device=settings.device
            )
        )
        self.service = Service(settings, self._engine, self.runtime.token)
        self._web: _Uvicorn | None = None
        self._stopping = False

    async def run(self, on_ready: Callable[[str], None] | None = None) -> None:
        """Serve until :meth:`stop`.

        Raises:
            StartError: it cannot start.
        """
        settings = self.settings
        tls = settings.tls_certificate is not None
        check_listening(settings.host, tls=tls)
        _check_tls(settings)
        self.runtime.acquire()
        try:
            # Before the engine starts: its address could not be told.
            check_home(self.runtime.path.parent)
            with contextlib.ExitStack() as open_sockets:
                listeners = [open_sockets.enter_context(contextlib.closing(_listen(settings, settings.port)))]
                self.url = _url(settings, listeners[0])
                if settings.a1111_port:
                    second = _listen(settings, settings.a1111_port)
                    listeners.append(open_sockets.enter_context(contextlib.closing(second)))
                await self._serve(listeners, on_ready)
        finally:
            self.runtime.release()

    def stop(self) -> None:
        """Have :meth:`run` end gracefully."""
        self._stopping = True
        if self._web is not None:
            self._web.should_exit = True

    async def _serve(self, listeners: list[socket.socket], on_ready: Callable[[str], None] | None) -> None:
        settings = self.settings
        own_hosts = () if settings.host in ("", "0.0.0.0", "::") else (_bracketed(settings.host),)
        imaging = Imaging()
        config = uvicorn.Config(
            build_app(self.service, imaging, own_hosts),
            loop="asyncio",
            http=FrugalHttp,
            ws=FrugalWebSocket,
            ws_max_size=FRAME_BYTES,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PONG_SECONDS,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
        )
        self._web = _Uvicorn(config, self.service, lambda: self._ready(on_ready))
        self._web.should_exit = self._stopping
        await self.service.start()
        try:
            await self._web.serve(sockets=listeners)
        finally:
            await self.service.shut_down()
            await imaging.close()

    def _ready(self, on_ready: Callable[[str], None] | None) -> None:
        self.runtime.publish(url=self.url, bridge=self.service.version, start_command=self._start_command)
        log(logging.INFO, "listening", url=self.url, pid=os.getpid())
        if on_ready is not None:
            on_ready(self.url)


class _Uvicorn(uvicorn.Server):
    """uvicorn, which leaves signals to us and lets clients hear of the end before it cuts them off."""

    def __init__(self, config: uvicorn.Config, service: Service, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._service = service
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._service.shut_down()
        await super().shutdown(sockets)


def default_start_command() -> list[str]:
    """The command that starts a bridge from this installation."""
    script = Path(sys.executable).with_name("paintbridge" + (".exe" if sys.platform == "win32" else ""))
    return [str(script), "serve"] if script.exists() else [sys.executable, "-m", "bridge.cli", "serve"]


@contextlib.contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    earlier: dict[int, Any] = {}

    def handle(_number: int, _frame: FrameType | None) -> None:
        restore()
        stop()

    def restore() -> None:
        for number, handler in earlier.items():
            signal.signal(number, handler)

    for number in _SIGNALS:
        earlier[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        restore()


def _check_tls(settings: Settings) -> None:
    """Try certificate and key before anything else is begun."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return
    for key, file in (("tls_certificate", settings.tls_certificate), ("tls_key", settings.tls_key)):
        if not file.is_file():
            raise SettingsError("settings", key, Sentence("there is no file {file}.", file=file))
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ValueError):
        raise SettingsError(
            "settings", "tls_certificate", "the certificate and its key cannot be used together."
        ) from None


def _listen(settings: Settings, port: int) -> socket.socket:
    # The name is for people; two families would be two addresses.
    host = "127.0.0.1" if settings.host.lower() == "localhost" else settings.host.strip("[]")
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, address = found[0]
        # The protocol is named since asyncio switches Nagle's algorithm off only where it is: small messages would
        # else wait 40 ms for each other.
        listener = socket.socket(family, kind, protocol)
        try:
            _claim(listener)
            listener.bind(address)
            listener.listen(64)
        except BaseException:
            listener.close()
            raise
        return listener
    except OSError as error:
        raise AddressUnavailable(
            "The bridge cannot listen at {host}, port {port} ({reason}).",
            "Stop the program that uses the port, or choose another one"
            + (": --port 0 takes any free one." if port == settings.port else " with --a1111-port."),
            host=settings.host,
            port=port,
            reason=error.strerror or error,
        ) from None


def _claim(listener: socket.socket) -> None:
    if sys.platform == "win32":
        # There SO_REUSEADDR lets others take the port over.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)


def _url(settings: Settings, listener: socket.socket) -> str:
    tls = settings.tls_certificate is not None
    host, port = listener.getsockname()[:2]
    if tls and settings.allowed_hosts:
        # The name that the certificate was made for.
        name = settings.allowed_hosts[0]
    elif host in ("0.0.0.0", "::"):
        name = "127.0.0.1" if host == "0.0.0.0" else "[::1]"
    elif tls and not is_loopback(settings.host):
        name = _bracketed(settings.host)
    else:
        name = _bracketed(host)
    return f"{'wss' if tls else 'ws'}://{name}:{port}{WEBSOCKET_PATH}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
