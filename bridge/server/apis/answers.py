"""What the answers of both APIs have in common: fields without effect are named, and whatever goes wrong is told in the
API's own shape.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ...protocol.errors import BridgeError
from ..logs import log, log_fault
from .bodies import BadBody, BodyTooLarge
from .fields import FieldsRefused
from .hangup import HungUp

__all__ = ["IGNORED", "Handler", "Shape", "answer", "http_status", "ignored_headers", "told"]

IGNORED = "Paintbridge-Ignored"
"""Header that names the fields of a request that had no effect."""

_CLIENT_GONE = 499
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

Handler = Callable[[Request], Awaitable[Response]]


class Shape(Protocol):
    """An API's refusals. ``name`` is for the log; ``bad_body`` is the status for a body that cannot be read."""

    name: str
    bad_body: int

    def refused(self, error: BridgeError) -> Response:
        """An error of the bridge."""

    def refuse_fields(self, error: FieldsRefused) -> Response:
        """Fields that cannot be used."""

    def refuse(self, words: str, status: int) -> Response:
        """A request that is of no use at all."""


def answer(content: Any, ignored: Iterable[str] = ()) -> Response:
    """An answer; ``ignored`` names fields that had no effect."""
    return JSONResponse(content, headers=ignored_headers(ignored))


def ignored_headers(ignored: Iterable[str]) -> dict[str, str]:
    """The header that names fields which had no effect; the log names them too."""
    names = ", ".join(ignored)[:4096]
    if not names:
        return {}
    log(logging.INFO, "fields without effect", fields=names)
    # Names are the client's own: what does not fit a header, line ends among it, is shown as question marks.
    return {IGNORED: "".join(mark if " " <= mark <= "~" else "?" for mark in names)}


def http_status(error: BridgeError) -> int:
    """What is not the bridge's fault is the request's: 400."""
    return _STATUS.get(error.code, 400)


def told(handler: Handler, shape: Shape) -> Handler:
    """Whatever goes wrong becomes an answer in an API's shape."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except FieldsRefused as error:
            return shape.refuse_fields(error)
        except BridgeError as error:
            return shape.refused(error)
        except BadBody as error:
            return shape.refuse(str(error), shape.bad_body)
        except BodyTooLarge:
            return shape.refuse("The body has more bytes than the bridge accepts.", 413)
        except HungUp:
            log(logging.INFO, "a client hung up", api=shape.name)
            return Response(status_code=_CLIENT_GONE)
        except Exception:  # noqa: BLE001 - one request's fault must not show its words to anybody
            log_fault("a request ran into an unforeseen error", api=shape.name)
            return shape.refused(BridgeError("internal"))

    return handle
