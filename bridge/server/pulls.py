"""The pull of a checkpoint that is under way in the engine: what it says is told to every client."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable

from ..engine.port import Engine, PullEvent, PullFailed, PullFinished, PullProgress
from ..protocol.errors import BridgeError
from ..protocol.messages import Pulled, Pulling, Unpulled
from .logs import log, log_fault

__all__ = ["Pulls"]

News = Pulling | Pulled | Unpulled


class Pulls:
    """Has the engine pull, and passes on what it says. Belongs to one event loop."""

    def __init__(self, engine: Engine, tell: Callable[[News], None], listed: Callable[[], Awaitable[object]]) -> None:
        """``tell`` passes on how far a pull is and how it ended. ``listed`` is awaited before a pulled checkpoint
        is told: the list that has it comes first.
        """
        self.under_way: Pulling | None = None
        self._engine = engine
        self._tell = tell
        self._listed = listed
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._closed = False

    async def begin(self, name: str) -> None:
        """Have a checkpoint pulled, unless that is being done already.

        Raises:
            BridgeError: as :meth:`.Engine.pull`.
        """
        if self._closed:
            raise BridgeError("shutting_down")
        if self.under_way is None or self.under_way.name != name or self._stopping:
            events = self._engine.pull(name)
            await anext(events)
            self._stopping = False
            self.under_way = Pulling(name, 0, 0)
            self._task = asyncio.create_task(self._run(name, events), name=f"pull {name}")
        self._tell(self.under_way)

    def stop(self, name: str) -> None:
        """Stop the pull; its end is told when it has stopped.

        Raises:
            BridgeError: ``pull_unknown`` when that checkpoint is not being pulled.
        """
        self._engine.stop_pull(name)
        self._stopping = True

    async def close(self) -> None:
        """Stop whatever is under way, without a word: whoever waits for it may ask a later bridge, which goes on where
        this one stopped.
        """
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _run(self, name: str, events: AsyncGenerator[PullEvent, None]) -> None:
        end: Pulled | Unpulled = _unpulled(name, BridgeError("internal"))
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    if isinstance(event, PullProgress):
                        self.under_way = Pulling(name, event.done, event.total)
                        self._tell(self.under_way)
                    elif isinstance(event, PullFinished):
                        await self._listed()
                        end = Pulled(name, event.checkpoint)
                    elif isinstance(event, PullFailed):
                        end = _unpulled(name, event.error)
        except Exception:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            log_fault("a pull ran into an unforeseen error", name=name)
        log(logging.INFO, "pull", name=name, code=end.code if isinstance(end, Unpulled) else "pulled")
        self.under_way = None
        if not self._closed:
            self._tell(end)


def _unpulled(name: str, error: BridgeError) -> Unpulled:
    return Unpulled(name, error.code, error.message, error.hint)
