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
from .gate import Gate, is_theirs, tidied
from .openai.routes import routes as openai_routes
from .openai.shape import OpenAIShape

__all__ = ["unknown", "with_apis"]

_OPENAI = "/v1/"


def with_apis(app: ASGIApp, service: Service, imaging: Imaging) -> ASGIApp:
    """The application, and before it the APIs, which answer what is under their paths."""
    apis = Starlette(
        routes=[*a1111_routes(service, imaging), *openai_routes(service, imaging)],
        exception_handlers={HTTPException: unknown},
    )
    # To an address without the key, or without what stands before it at a proxy: slashes are let be instead.
    apis.router.redirect_slashes = False
    gate = Gate.with_pages(apis, service, _shape)

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        tidy = tidied(scope) if scope["type"] == "http" else scope
        if scope["type"] == "http" and is_theirs(tidy["path"]):
            await gate(tidy, receive, send)
        else:
            await app(scope, receive, send)

    return choose


def _shape(path: str) -> Shape:
    return OpenAIShape() if path.startswith(_OPENAI) else A1111Shape()


async def unknown(request: Request, error: Exception) -> Response:
    """The answer where there is no endpoint, or not by that method: JSON, which clients read without looking."""
    assert isinstance(error, HTTPException)
    return _shape(request.scope["path"]).refuse(error.detail, error.status_code)
