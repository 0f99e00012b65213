"""The child process that decodes and encodes: begun when it is first asked, asked by one caller at a time.

This module never imports what the child needs: the work's name is looked up over there.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ..protocol.errors import BridgeError
from .orders import Enlarge, Expand, Finish, Guide, Guided, Stage, Staged, Thumbnail

__all__ = ["Imaging"]

_log = logging.getLogger(__name__)

_WORK = "bridge.imaging.work"


class Imaging:
    """Asks the child. Belongs to one event loop."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def stage(self, order: Stage) -> Staged:
        """Lay out a job. Raises BridgeError: the picture or the mask cannot be used."""
        staged: Staged = await self._ask("stage", order)
        return staged

    async def guide(self, order: Guide) -> Guided:
        """Lay out a guiding picture. Raises BridgeError: it cannot be used."""
        guided: Guided = await self._ask("guide", order)
        return guided

    async def finish(self, order: Finish) -> tuple[bytes, ...]:
        """Make a file of each layer. Raises BridgeError."""
        files: tuple[bytes, ...] = await self._ask("finish", order)
        return files

    async def thumbnail(self, order: Thumbnail) -> bytes:
        """Make a file of raw pixels."""
        file: bytes = await self._ask("thumbnail", order)
        return file

    async def enlarge(self, order: Enlarge) -> bytes:
        """Make a PNG of another size. Raises BridgeError: the picture cannot be used, or would be too large."""
        file: bytes = await self._ask("enlarge", order)
        return file

    async def expand(self, order: Expand) -> bytes:
        """Make a PNG of a widened mask. Raises BridgeError: the mask cannot be used."""
        file: bytes = await self._ask("expand", order)
        return file

    async def close(self) -> None:
        """End the child, after what it is at."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    async def _ask(self, name: str, order: Any) -> Any:
        pool = self._pool
        if pool is None:
            context = multiprocessing.get_context("spawn")
            pool = self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin)
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, _perform, name, order)
        except BrokenProcessPool:
            _log.warning("The process that decodes pictures stopped unexpectedly.")
            if self._pool is pool:
                self._pool = None
            raise BridgeError(
                "picture_unreadable",
                "The process that decodes pictures stopped unexpectedly at this one.",
                "Send a smaller picture, or save it again as PNG.",
            ) from None


def _begin() -> None:
    """In the child: end with the parent, however that ends, and leave signals to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _perform(name: str, order: Any) -> Any:
    """In the child."""
    try:
        return getattr(importlib.import_module(_WORK), name)(order)
    except MemoryError:
        raise BridgeError("out_of_memory") from None
