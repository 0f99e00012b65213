"""A wire to a bridge that tests can cut, as a pulled cable does."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from whole_bridge import BridgeProcess

from bridge.client import Address

__all__ = ["CuttableWire", "cuttable"]


class CuttableWire:
    """A TCP relay in front of the bridge whose connections a test can cut."""

    def __init__(self, address: Address) -> None:
        parts = urlsplit(address.url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self.cuts = 0
        port = self._listener.getsockname()[1]
        self.address = dataclasses.replace(address, url=f"ws://127.0.0.1:{port}/ws")
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inner, _ = self._listener.accept()
                outer = socket.create_connection(self._target)
                with self._lock:
                    self._pairs.append((inner, outer))
                for source, sink in ((inner, outer), (outer, inner)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Break what is connected now; new connections get through."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
            self.cuts += len(pairs)
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Break what is connected, and let nobody through any more."""
        self._listener.close()
        self.cut()


@contextlib.contextmanager
def cuttable(bridge_process: BridgeProcess) -> Iterator[CuttableWire]:
    """A wire to a running bridge; `address` is the bridge's through it."""
    wire = CuttableWire(bridge_process.address())
    try:
        yield wire
    finally:
        wire.close()
