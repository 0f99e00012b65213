"""The page: an editor in the browser, served by the bridge itself. Its files lie in ``page/`` and speak the protocol.

They are read once, so that no request ever names a path. The page may load nothing but these files and talk to nobody
but this bridge: the Content-Security-Policy says so.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

__all__ = ["page_routes"]

_FOLDER = Path(__file__).with_name("page")
# Not asked of the system, whose registry may call a module plain text; browsers then refuse it.
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Asked for again every time, so that a page never talks to a bridge of another release.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class _File:
    body: bytes
    headers: dict[str, str]

    def answer(self, request: Request) -> Response:
        if request.headers.get("if-none-match") == self.headers["ETag"]:
            return Response(status_code=304, headers=self.headers)
        return Response(self.body, headers=self.headers)


def page_routes() -> list[Route]:
    """The page at ``/``, and what it is made of below ``/page/``."""
    files = {path.relative_to(_FOLDER).as_posix(): _read(path) for path in _FOLDER.rglob("*") if path.is_file()}

    async def index(request: Request) -> Response:
        return files["index.html"].answer(request)

    async def part(request: Request) -> Response:
        file = files.get(request.path_params["name"])
        return PlainTextResponse("The page has no such part.\n", 404) if file is None else file.answer(request)

    return [Route("/", index), Route("/page/{name:path}", part)]


def _read(path: Path) -> _File:
    body = path.read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return _File(body, {**_HEADERS, "Content-Type": _TYPES[path.suffix], "ETag": tag})
