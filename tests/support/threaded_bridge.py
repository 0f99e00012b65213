"""For the client's tests: the bridge's own server on a thread, with a small engine behind it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from pathlib import Path

from small_bridge import GatedEngine

from bridge.engine.local_inventory import LocalInventory
from bridge.server.app import BridgeServer
from bridge.server.settings import Settings

__all__ = ["Running"]


class Running:
    """A bridge in a home, on a thread with a loop of its own."""

    def __init__(self, home: Path, port: int = 0) -> None:
        self.loop = asyncio.new_event_loop()
        self.engine: GatedEngine
        self.server: BridgeServer
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._serve(home, port),))
        self.thread.start()
        assert self.ready.wait(20)

    async def _serve(self, home: Path, port: int) -> None:
        self.engine = GatedEngine()
        self.engine.models = LocalInventory([home / "models"], default_checkpoint="outline")
        self.server = BridgeServer(Settings(port=port, default_checkpoint="outline"), home=home, engine=self.engine)
        await self.server.run(lambda _: self.ready.set())

    def gate(self, *, is_open: bool) -> None:
        gate = self.engine.gate
        self.loop.call_soon_threadsafe(gate.set if is_open else gate.clear)

    def stop(self) -> None:
        with contextlib.suppress(RuntimeError):  # has ended already
            self.loop.call_soon_threadsafe(self.server.stop)
        self.thread.join()
