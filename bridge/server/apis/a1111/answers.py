"""Answers in that server's shapes, refusals included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.responses import JSONResponse, Response

from ....protocol.errors import BridgeError
from ..fields import FieldsRefused
from ..status import IGNORED, http_status

__all__ = ["answer", "refuse_body", "refuse_fields", "refused"]

_KINDS = {"missing": "value_error.missing", "value": "value_error"}


def answer(content: Any, ignored: Iterable[str] = ()) -> Response:
    """An answer; ``ignored`` names fields that had no effect."""
    names = ", ".join(ignored)
    # Names are the client's own: what does not fit a header is shown as question marks.
    headers = {IGNORED: names.encode("ascii", "replace").decode()[:4096]} if names else None
    return JSONResponse(content, headers=headers)


def refused(error: BridgeError, status: int | None = None) -> Response:
    """An error of the bridge."""
    content = {"error": error.code, "detail": error.message, "body": "", "errors": f"{error.message} {error.hint}"}
    return JSONResponse(content, status or http_status(error))


def refuse_fields(error: FieldsRefused) -> Response:
    """Fields that cannot be used."""
    detail = [
        {
            "loc": ["body", problem.field],
            "msg": problem.words,
            "type": _KINDS.get(problem.kind, f"type_error.{problem.kind}"),
        }
        for problem in error.problems
    ]
    return JSONResponse({"detail": detail}, 422)


def refuse_body(words: str, status: int) -> Response:
    """A body, or a request, that is of no use at all."""
    return JSONResponse({"detail": words}, status)
