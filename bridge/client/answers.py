"""Who waits for which answer. Answers come in any order, and a refusal names what it is about."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Union

from ..protocol.errors import BridgeError
from ..protocol.messages import (
    Browsed,
    Cancelled,
    Failed,
    Noted,
    Planned,
    Progress,
    Pulled,
    Put,
    Queued,
    Result,
    ServerMessage,
    Started,
    Stored,
    Trained,
    Unpulled,
    Wanted,
)

__all__ = ["JOB_EVENTS", "Answers", "Disconnected", "Key"]

JOB_EVENTS = (Queued, Started, Progress, Result, Trained, Failed, Cancelled)

Key = tuple[Union[str, int], ...]
"""What an answer is recognized by: ``("planned", request)``, ``("put", hash, offset)``, ..."""


class Disconnected(Exception):
    """The socket broke before the answer came. Wait until the connection is open, and ask again."""


class Answers:
    """Futures for the answers that are awaited on one connection."""

    def __init__(self) -> None:
        self._waiting: dict[Key, tuple[asyncio.Future[Any], tuple[str, ...]]] = {}

    @contextlib.contextmanager
    def expect(self, key: Key, *about: str) -> Iterator[asyncio.Future[Any]]:
        """A future for the answer that ``key`` names, as long as the context lasts.

        It fails with BridgeError when the bridge refuses what ``about`` names, or does not say what it refuses; and
        with :class:`Disconnected`.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[key] = (future, about)
        try:
            yield future
        finally:
            del self._waiting[key]
            if future.done() and not future.cancelled():
                future.exception()  # marks it as seen: the caller may have left for another reason

    def resolve(self, message: ServerMessage) -> None:
        """A message has come; it may be an answer. For a job, that is its first event."""
        future, _ = self._waiting.get(_key(message), (None, ()))
        if future is not None and not future.done():
            future.set_result(message)

    def refuse(self, error: BridgeError, about: str) -> bool:
        """The bridge has refused something. Returns whether anybody waited for it."""
        concerned = [future for future, names in self._waiting.values() if not about or about in names]
        for future in concerned:
            if not future.done():
                future.set_exception(error)
        return bool(concerned)

    def break_off(self) -> None:
        """The socket is gone: no answer will come."""
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_exception(Disconnected())


def _key(message: ServerMessage) -> Key:
    if isinstance(message, Planned):
        return ("planned", message.request)
    if isinstance(message, Wanted):
        return ("wanted",)
    if isinstance(message, Stored):
        return ("stored", message.hash)
    if isinstance(message, Put):
        return ("put", message.hash, message.offset)
    if isinstance(message, (Pulled, Unpulled)):
        return ("pulled", message.name)
    if isinstance(message, (Browsed, Noted)):
        return ("library", message.request)
    if isinstance(message, JOB_EVENTS):
        return ("job", message.job)
    return ()
