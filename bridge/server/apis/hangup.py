"""Requests whose client has hung up: their work is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

__all__ = ["HungUp", "unless_hung_up"]

T = TypeVar("T")


class HungUp(Exception):
    """Nobody waits for the answer any more."""


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
