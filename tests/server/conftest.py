"""Bridges on loopback, with a small engine in place of the real one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from small_bridge import Bridge, GatedEngine, write_outline

from bridge.engine.local_inventory import LocalInventory
from bridge.server.app import BridgeServer
from bridge.server.settings import Settings


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    """A function that starts bridges, each with a home of its own; they end with the test."""
    async with contextlib.AsyncExitStack() as stack:
        count = 0

        async def start_bridge(engine: GatedEngine | None = None, home: Path | None = None, **settings: Any) -> Bridge:
            nonlocal count
            count += 1
            engine = engine or GatedEngine()
            home = home or tmp_path / f"home{count}"
            if not (home / "models").exists():
                write_outline(home / "models" / "outline")
            given = Settings(**{"port": 0, "default_checkpoint": "outline", **settings})
            folders = (home / "models", *given.models_folders)
            engine.models = LocalInventory(folders, default_checkpoint=given.default_checkpoint)
            server = BridgeServer(given, home=home, engine=engine)
            ready = asyncio.Event()
            running = asyncio.create_task(server.run(lambda _: ready.set()))
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if running.done():
                await running

            async def end() -> None:
                engine.gate.set()
                server.stop()
                await running

            stack.push_async_callback(end)
            return Bridge(server, engine, stack, running)

        yield start_bridge


@pytest.fixture
async def bridge(start: Callable[..., Any]) -> Bridge:
    """A bridge with default settings."""
    return await start()
