"""Who may use the HTTP APIs: programs of this machine that show the token, and pages that the settings name.

The token comes as a bearer, as the password of basic authentication, or, from clients that have nothing but a base
URL, in the path: ``/key/TOKEN/...``. It stops counting when it is rotated. No path is ever logged. A picture that an
answer points at opens by its own name, which nobody can guess.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Callable
from typing import Any

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from ...protocol.errors import BridgeError
from ..access import is_loopback, token_matches
from ..logs import log
from ..service import Service
from .answers import IGNORED, Shape

__all__ = ["KEPT", "Gate", "is_theirs", "tidied"]

KEPT = "/v1/images/kept/"
"""Before the name of a picture that an answer points at."""

_PREFIXES = ("/sdapi/", "/controlnet/", "/internal/", "/v1/", "/key/")
_SLASHES = re.compile("//+")

_KEY = "/key/"
# Each may hold a body of pictures in memory; small ones, such as those that stop others, are not counted.
_MOST_REQUESTS = 32
_SMALL_BYTES = 64 << 10


class Gate:
    """Stands before the APIs. ``shape`` gives that of the API which a path belongs to."""

    def __init__(self, app: ASGIApp, service: Service, shape: Callable[[str], Shape]) -> None:
        self._app = app
        self._service = service
        self._shape = shape
        self._requests = 0

    @classmethod
    def with_pages(cls, app: ASGIApp, service: Service, shape: Callable[[str], Shape]) -> ASGIApp:
        """The gate, and before it the answers that browsers ask for ahead of a page's request."""
        origins = [origin.lower().rstrip("/") for origin in service.settings.allowed_origins]
        return CORSMiddleware(
            cls(app, service, shape),
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=[IGNORED],
            allow_private_network=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope, shown = _without_key(scope)
        try:
            self._admit(scope, shown)
        except BridgeError as error:
            answer = self._shape(scope["path"]).refused(error)
            if error.code == "unauthorized":
                answer.headers["WWW-Authenticate"] = 'Basic realm="Paintbridge"'
            await answer(scope, receive, send)
            return
        large = int(_is_large(scope))
        self._requests += large
        try:
            await self._app(scope, receive, send)
        finally:
            self._requests -= large

    def _admit(self, scope: Scope, shown: str | None) -> None:
        """See whether a request may come in.

        Raises:
            BridgeError: ``unauthorized``, ``too_many_connections``, ``shutting_down``.
        """
        peer = (scope.get("client") or ("",))[0]
        if not is_loopback(peer):
            log(logging.WARNING, "refused", peer=peer, code="unauthorized")
            raise BridgeError(
                "unauthorized",
                "The HTTP APIs answer programs of the bridge's own machine only.",
                "Run the program there, or use a client of the bridge's own protocol.",
            )
        given = shown if shown is not None else _token_of(scope)
        opens = scope["path"].startswith(KEPT) or (given is not None and token_matches(given, self._service.token()))
        if not opens:
            log(logging.WARNING, "refused", client="http", code="unauthorized")
            raise BridgeError(
                "unauthorized",
                hint="Give the token as a bearer, as the password, or in the address: .../key/TOKEN. "
                "`paintbridge token` prints it.",
            )
        if self._service.shutting_down:
            raise BridgeError("shutting_down")
        if self._requests >= _MOST_REQUESTS and _is_large(scope):
            raise BridgeError(
                "too_many_connections",
                "{requests} requests are under way.",
                "Send it again when some of them have ended.",
                requests=self._requests,
            )


def is_theirs(path: str) -> bool:
    """Whether a path, tidied, belongs to the HTTP APIs."""
    return f"{path}/".startswith(_PREFIXES)


def tidied(scope: Scope) -> Scope:
    """The request as if its path had no slash too many, as it has where clients join two parts of an address: none
    after another, and none at the end.
    """
    path = _SLASHES.sub("/", scope["path"]).rstrip("/") or "/"
    return scope if path == scope["path"] else {**scope, "path": path, "raw_path": path.encode()}


def _without_key(scope: Scope) -> tuple[Scope, str | None]:
    """The request as if its path had no key, and the key."""
    path: str = scope["path"]
    if not path.startswith(_KEY):
        return scope, None
    key, _, rest = path.removeprefix(_KEY).partition("/")
    changed: dict[str, Any] = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode()}
    return changed, key


def _is_large(scope: Scope) -> bool:
    """Whether a request's body may take much memory; one of no known length may."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0")
    return b"transfer-encoding" in headers or not length.isdigit() or int(length) > _SMALL_BYTES


def _token_of(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            kind, _, rest = value.decode("latin-1").partition(" ")
            if kind.lower() == "bearer":
                return str(rest.strip())
            if kind.lower() == "basic":
                return _password(rest)
    return None


def _password(packed: str) -> str | None:
    try:
        said = base64.b64decode(packed.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return said.partition(":")[2]
