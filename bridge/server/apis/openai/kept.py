"""Pictures that answers point at, for clients that ask for `url`: held in memory for a while, by names that nobody can
guess.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from ..gate import KEPT

__all__ = ["Kept", "address_of"]

_SECONDS = 3600.0
_MOST_BYTES = 256 << 20
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True)
class _Picture:
    file: bytes = field(repr=False)
    kind: str
    token: str = field(repr=False)
    until: float


class Kept:
    """For an hour, as that service does, and within a budget of bytes: the oldest go first. Whose token was rotated is
    let go too.
    """

    def __init__(self, token: Callable[[], str], *, clock: Callable[[], float] = time.monotonic) -> None:
        """``token`` gives the token that is valid at that moment; ``clock`` seconds."""
        self._token = token
        self._clock = clock
        self._pictures: dict[str, _Picture] = {}

    def add(self, file: bytes, kind: str) -> str:
        """Keep a picture of this kind (png, jpeg, webp); its path."""
        name = f"{secrets.token_urlsafe(32)}.{kind}"
        self._pictures[name] = _Picture(file, kind, self._token(), self._clock() + _SECONDS)
        self._let_go()
        return KEPT + name

    def answer(self, name: str) -> Response | None:
        """The picture of that name; None: there is none any more."""
        self._let_go()
        picture = self._pictures.get(name)
        if picture is None:
            return None
        headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return Response(picture.file, media_type=f"image/{picture.kind}", headers=headers)

    def _let_go(self) -> None:
        now, token = self._clock(), self._token()
        self._pictures = {
            name: picture for name, picture in self._pictures.items() if picture.until > now and picture.token == token
        }
        size = sum(len(picture.file) for picture in self._pictures.values())
        while size > _MOST_BYTES and len(self._pictures) > 1:
            size -= len(self._pictures.pop(next(iter(self._pictures))).file)


def address_of(request: Request) -> str:
    """Where the client has found the bridge: what a proxy says of that counts, which is the client's own word."""
    headers = request.headers
    scheme = headers.get("x-forwarded-proto", "")
    host, prefix = headers.get("x-forwarded-host", ""), headers.get("x-forwarded-prefix", "").rstrip("/")
    scheme = scheme if scheme in ("http", "https") else request.url.scheme
    host = host if _HOST.fullmatch(host) else headers["host"]
    return f"{scheme}://{host}{prefix if _PREFIX.fullmatch(prefix) else ''}"
