"""Answers in that API's shapes, refusals included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.responses import JSONResponse, Response

from ....protocol.errors import BridgeError
from ..fields import FieldsRefused
from ..status import IGNORED, http_status

__all__ = ["answer", "refuse", "refuse_fields", "refused"]

_CODES = {"unauthorized": "invalid_api_key", "checkpoint_unknown": "model_not_found"}


def answer(content: Any, ignored: Iterable[str] = ()) -> Response:
    """An answer; ``ignored`` names fields that had no effect."""
    names = ", ".join(ignored)
    # Names are the client's own: what does not fit a header is shown as question marks.
    headers = {IGNORED: names.encode("ascii", "replace").decode()[:4096]} if names else None
    return JSONResponse(content, headers=headers)


def refuse(message: str, status: int, *, param: str | None = None, code: str | None = None) -> Response:
    """A refusal."""
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": code}}, status)


def refused(error: BridgeError, status: int | None = None) -> Response:
    """An error of the bridge."""
    code = _CODES.get(error.code, error.code)
    return refuse(f"{error.message} {error.hint}", status or http_status(error), code=code)


def refuse_fields(error: FieldsRefused) -> Response:
    """Fields that cannot be used; the first is named."""
    code = "missing_required_parameter" if error.problems[0].kind == "missing" else "invalid_value"
    return refuse(str(error), 400, param=error.problems[0].field, code=code)
