"""Refusals in that API's shape."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from ....protocol.errors import BridgeError
from ..answers import http_status
from ..fields import FieldsRefused

__all__ = ["OpenAIShape"]

_CODES = {"unauthorized": "invalid_api_key", "checkpoint_unknown": "model_not_found"}


class OpenAIShape:
    """See :class:`..answers.Shape`."""

    name = "openai"
    bad_body = 400

    def refused(self, error: BridgeError) -> Response:
        """An error of the bridge."""
        return JSONResponse(self.content(error), http_status(error))

    @staticmethod
    def content(error: BridgeError) -> dict[str, Any]:
        """What is said of an error of the bridge."""
        code = _CODES.get(error.code, error.code)
        return _content(f"{error.message} {error.hint}", http_status(error), code=code, param=None)

    def refuse_fields(self, error: FieldsRefused) -> Response:
        """Fields that cannot be used; the first is named."""
        first = error.problems[0]
        code = "missing_required_parameter" if first.kind == "missing" else "invalid_value"
        return _refusal(str(error), 400, code=code, param=first.field)

    def refuse(self, words: str, status: int) -> Response:
        """A request that is of no use at all."""
        return _refusal(words, status, code=None, param=None)


def _refusal(message: str, status: int, *, code: str | None, param: str | None) -> Response:
    return JSONResponse(_content(message, status, code=code, param=param), status)


def _content(message: str, status: int, *, code: str | None, param: str | None) -> dict[str, Any]:
    kind = "server_error" if status >= 500 else "rate_limit_error" if status == 429 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
