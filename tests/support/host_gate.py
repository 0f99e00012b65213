"""Between a host and its bridge: a gate that a test can shut, and the runtime file by which the host finds it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from bridge.client import Address

__all__ = ["HostGate"]

_RESET = struct.pack("ii", 1, 0)


class HostGate:
    """Use it as a context manager. ``home``: the folder in which the host looks for a bridge; ``inside``: where the
    bridge is now, asked for each connection.
    """

    def __init__(self, home: Path, inside: Callable[[], Address]) -> None:
        self._home = home
        self._inside = inside
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.open = True

    def announce(self, *, token: str | None = None) -> None:
        """Tell the host of this gate; with a token that is not the bridge's, if one is given."""
        inside = self._inside()
        plain = {
            "url": f"http://127.0.0.1:{self._listener.getsockname()[1]}",
            "token": token or inside.token,
            "pid": os.getpid(),
            "start_command": list(inside.start_command),
        }
        self._home.mkdir(parents=True, exist_ok=True)
        new = self._home / "runtime.json.new"
        new.write_text(json.dumps(plain))
        new.replace(self._home / "runtime.json")

    def lead_to(self, inside: Callable[[], Address]) -> None:
        """From now on to another bridge."""
        self._inside = inside

    def cut(self) -> None:
        """Break all connections, as a network does."""
        with self._lock:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    one.shutdown(socket.SHUT_RDWR)
            self._sockets.clear()

    def __enter__(self) -> HostGate:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                outer, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(outer,), daemon=True).start()

    def _pass(self, outer: socket.socket) -> None:
        with outer, contextlib.suppress(OSError):
            if not self.open:
                return
            inside = self._inside().url.split("/")[2].rsplit(":", 1)
            with socket.create_connection((inside[0], int(inside[1]))) as inner:
                with self._lock:
                    self._sockets |= {outer, inner}
                back = threading.Thread(target=_pump, args=(inner, outer), daemon=True)
                back.start()
                _pump(outer, inner)
                back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
