"""Refusals in that server's shape."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from ....protocol.errors import BridgeError
from ..answers import http_status
from ..fields import FieldsRefused

__all__ = ["A1111Shape"]

_NOT_FOUND = ("missing_field", "unsupported_sampler")
_KINDS = {"missing": "value_error.missing", "value": "value_error"}


class A1111Shape:
    """See :class:`..answers.Shape`."""

    name = "a1111"
    bad_body = 422

    def refused(self, error: BridgeError) -> Response:
        """An error of the bridge. That server says of a picture, or a sampler, that it was not found."""
        content = {"error": error.code, "detail": error.message, "body": "", "errors": f"{error.message} {error.hint}"}
        return JSONResponse(content, 404 if error.code in _NOT_FOUND else http_status(error))

    def refuse_fields(self, error: FieldsRefused) -> Response:
        """Fields that cannot be used, each with its place."""
        detail = [
            {
                "loc": ["body", problem.field],
                "msg": problem.words,
                "type": _KINDS.get(problem.kind, f"type_error.{problem.kind}"),
            }
            for problem in error.problems
        ]
        return JSONResponse({"detail": detail}, 422)

    def refuse(self, words: str, status: int) -> Response:
        """A request that is of no use at all."""
        return JSONResponse({"detail": words}, status)
