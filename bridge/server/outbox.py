"""What waits to be sent on one connection. A slow client holds up nobody and grows nothing.

Answers wait here, few of them: whoever brings one waits until there is room, so that a client that does not read is not
read from either. Events wait in the session, which must keep them anyway until they are acknowledged; here is only a
cursor. They go before answers, so that they pass between the chunks of a picture. So does news, of which the latest
counts. Of previews the session has the latest of each job, and they go when nothing else waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from ..protocol.messages import CHUNK_BYTES, JobEvent, Preview, ServerMessage
from ..protocol.wire import encode

__all__ = ["EventSource", "Outbox"]

_ROOM_BYTES = 2 * CHUNK_BYTES


class EventSource(Protocol):
    """What an outbox sends from: a session."""

    def event_after(self, number: int) -> JobEvent | None:
        """The first event after this number, if there is one yet."""

    def take_preview(self) -> Preview | None:
        """A preview to send, if one waits."""


class Outbox:
    """The sending half of a connection. Belongs to one event loop. ``ended`` is set when nothing is sent any more."""

    def __init__(self) -> None:
        self._answers: deque[bytes] = deque()
        self._answer_bytes = 0
        self._news: dict[tuple[type[ServerMessage], str], ServerMessage] = {}
        self._source: EventSource | None = None
        self._cursor = 0
        self._barrier = 0
        self._farewell: bytes | None = None
        self._close_code: int | None = None
        self._stirred = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.ended = asyncio.Event()

    @property
    def waiting_bytes(self) -> int:
        """Bytes of answers that wait."""
        return self._answer_bytes

    def push(self, message: ServerMessage) -> None:
        """Queue an answer without waiting, for what the bridge says of its own accord, which is little."""
        if self._close_code is not None or self.ended.is_set():
            return
        frame = encode(message)
        self._answers.append(frame)
        self._answer_bytes += len(frame)
        if self._answer_bytes > _ROOM_BYTES:
            self._room.clear()
        self._stirred.set()

    def tell(self, message: ServerMessage) -> None:
        """Have news sent, in place of older news of its kind that still waits."""
        if self._close_code is None and not self.ended.is_set():
            key = (type(message), getattr(message, "name", ""))
            # Moved to the end: what the latest says may rest on what was told before it.
            self._news.pop(key, None)
            self._news[key] = message
            self._stirred.set()

    async def answer(self, message: ServerMessage) -> None:
        """Queue an answer, and wait until there is room for another."""
        self.push(message)
        await self._room.wait()

    def follow(self, source: EventSource, *, after: int) -> None:
        """Send the session's events after this number, news, and its previews, behind the answers that wait already."""
        self._source = source
        self._cursor = after
        self._barrier = len(self._answers)
        self._stirred.set()

    def stir(self) -> None:
        """There may be something new to send."""
        self._stirred.set()

    def leave(self) -> None:
        """The session goes on elsewhere: send nothing more of it."""
        self._source = None

    def close(self, code: int, farewell: ServerMessage | None = None) -> None:
        """Send what waits, and the farewell, then close the websocket with this code. Nothing is taken any more."""
        if self._close_code is None:
            self._close_code = code
            self._farewell = None if farewell is None else encode(farewell)
            self._room.set()
            self._stirred.set()

    async def run(
        self,
        send: Callable[[bytes], Awaitable[None]],
        close: Callable[[int], Awaitable[None]],
        *,
        stalled_seconds: float,
    ) -> None:
        """Send until closed.

        Raises:
            TimeoutError: the client has not taken a message for ``stalled_seconds``.
        """
        try:
            while True:
                frame = self._next()
                if frame is not None:
                    async with asyncio.timeout(stalled_seconds):
                        await send(frame)
                elif self._close_code is not None:
                    async with asyncio.timeout(stalled_seconds):
                        await close(self._close_code)
                    return
                else:
                    self._stirred.clear()
                    await self._stirred.wait()
        finally:
            # Whoever waits for room must not wait for a sender that is gone.
            self.ended.set()
            self._room.set()

    def _next(self) -> bytes | None:
        if self._source is not None and not self._barrier:
            # News first, for what an event says may rest on it: a LoRA is in the list before its training has ended.
            if self._news:
                return encode(self._news.pop(next(iter(self._news))))
            event = self._source.event_after(self._cursor)
            if event is not None:
                self._cursor = event.event
                return encode(event)
        if self._answers:
            frame = self._answers.popleft()
            self._barrier = max(0, self._barrier - 1)
            self._answer_bytes -= len(frame)
            if self._answer_bytes <= _ROOM_BYTES:
                self._room.set()
            return frame
        if self._close_code is not None:
            farewell, self._farewell = self._farewell, None
            return farewell
        preview = None if self._source is None else self._source.take_preview()
        return None if preview is None else encode(preview)
