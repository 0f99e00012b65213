"""HTTP status codes for the bridge's errors, and requests whose client has hung up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from ...protocol.errors import BridgeError

__all__ = ["IGNORED", "HungUp", "http_status", "unless_hung_up"]

IGNORED = "Paintbridge-Ignored"
"""Header that names the fields of a request that had no effect."""

_STATUS = {
    "unauthorized": 401,
    "checkpoint_unknown": 404,
    "picture_too_large": 413,
    "queue_full": 429,
    "shutting_down": 503,
    "too_many_connections": 503,
    "checkpoint_unreadable": 500,
    "internal": 500,
    "out_of_memory": 500,
    "worker_crashed": 500,
    "worker_silent": 500,
}

T = TypeVar("T")


class HungUp(Exception):
    """Nobody waits for the answer any more."""


def http_status(error: BridgeError) -> int:
    """What is not the bridge's fault is the request's: 400."""
    return _STATUS.get(error.code, 400)


async def unless_hung_up(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do the work of a request whose body has been read; it is cancelled when the client hangs up.

    Raises:
        HungUp
    """
    working, listening = asyncio.ensure_future(work), asyncio.ensure_future(_until_hung_up(request))
    try:
        await asyncio.wait((working, listening), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise HungUp
    finally:
        for task in (working, listening):
            task.cancel()
        await asyncio.gather(working, listening, return_exceptions=True)


async def _until_hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
