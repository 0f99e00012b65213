"""Both APIs as one application, in front of the bridge's own."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ...imaging.process import Imaging
from ..service import Service
from .a1111.routes import routes as a1111_routes
from .a1111.shape import A1111Shape
from .answers import Shape
from .gate import PREFIXES, Gate
from .openai.routes import routes as openai_routes
from .openai.shape import OpenAIShape

__all__ = ["with_apis"]

_OPENAI = "/v1/"


def with_apis(app: ASGIApp, service: Service, imaging: Imaging) -> ASGIApp:
    """The application, and before it the APIs, which answer what is under their paths."""
    apis = Starlette(
        routes=[*a1111_routes(service, imaging), *openai_routes(service, imaging)],
        exception_handlers={HTTPException: _unknown},
    )
    gate = Gate.with_pages(apis, service, _shape)

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        theirs = scope["type"] == "http" and scope["path"].startswith(PREFIXES)
        await (gate if theirs else app)(scope, receive, send)

    return choose


def _shape(path: str) -> Shape:
    return OpenAIShape() if path.startswith(_OPENAI) else A1111Shape()


async def _unknown(request: Request, error: Exception) -> Response:
    """An endpoint that there is not, or not by that method."""
    assert isinstance(error, HTTPException)
    return _shape(request.scope["path"]).refuse(error.detail, error.status_code)
