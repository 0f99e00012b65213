"""An answer that comes in parts: server-sent events (WHATWG HTML, 9.2), as that API streams pictures."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ....protocol.messages import Preview, Progress, Queued
from ..api_job import Paintings
from ..hangup import HungUp, unless_hung_up
from ..in_process import Happened

__all__ = ["WAITING", "EventStream", "Follower", "event"]

_QUIET_SECONDS = 15.0

WAITING = b": waiting\n\n"
"""Says nothing, and keeps the connection open."""


class Follower:
    """Hears of a job, and tells of its previews: so many, spread over its steps."""

    def __init__(self, previews: int) -> None:
        self._wanted = previews
        self._told = 0
        self._steps = 0
        self._happened: asyncio.Queue[Happened | None] = asyncio.Queue()

    def follow(self, happened: Happened) -> None:
        """Something happened to the job."""
        self._happened.put_nowait(happened)

    async def previews(self, work: Coroutine[Any, Any, Paintings]) -> AsyncGenerator[Preview | Paintings | None]:
        """Previews, and what was painted in the end. None: nothing is new; the first one comes when the job waits.

        Raises:
            BridgeError, JobStopped: as ``work``.
        """
        working = asyncio.ensure_future(work)
        working.add_done_callback(lambda _: self._happened.put_nowait(None))
        try:
            while True:
                try:
                    happened = await asyncio.wait_for(self._happened.get(), _QUIET_SECONDS)
                except TimeoutError:
                    yield None
                    continue
                if happened is None:
                    yield working.result()
                    return
                if isinstance(happened, Queued):
                    yield None
                elif isinstance(happened, Progress) and happened.stage == "denoise":
                    self._steps = happened.steps
                elif isinstance(happened, Preview) and self._is_due(happened.step):
                    self._told += 1
                    yield happened
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    def _is_due(self, step: int) -> bool:
        return self._told < self._wanted and step * (self._wanted + 1) >= (self._told + 1) * max(1, self._steps)


class EventStream(Response):
    """Sends what comes, until it ends or the client hangs up."""

    media_type = "text/event-stream"

    def __init__(self, request: Request, events: AsyncGenerator[bytes], headers: dict[str, str]) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", **headers})
        del self.headers["content-length"]
        self._request = request
        self._events = events

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

        async def send_all() -> None:
            async with contextlib.aclosing(self._events):
                async for part in self._events:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        with contextlib.suppress(HungUp):
            await unless_hung_up(self._request, send_all())


def event(kind: str, content: dict[str, Any]) -> bytes:
    """One event."""
    return f"event: {kind}\ndata: {json.dumps(content)}\n\n".encode()
