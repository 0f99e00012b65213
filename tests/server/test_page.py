"""How the page is served. What it does, its own tests show: tests/page."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from small_bridge import Bridge

import bridge.server

PAGE = Path(bridge.server.__file__).parent / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".mjs": "text/javascript", ".svg": "image/svg+xml"}


@pytest.fixture
def ask(bridge: Bridge) -> Callable[..., Any]:
    """Ask the bridge for something, over HTTP; in a thread, for the bridge runs on this loop."""

    def request(method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(urlsplit(bridge.url).netloc, timeout=10)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body

    async def ask(path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        return await asyncio.to_thread(request, method, path, headers)

    return ask


async def test_every_file_is_served_as_what_it_is_and_bound_to_the_bridge(ask: Callable[..., Any]) -> None:
    files = [path for path in PAGE.rglob("*") if path.suffix in TYPES]
    assert len(files) > 30
    for path in [PAGE / "index.html", *files]:
        status, headers, body = await ask(f"/page/{path.relative_to(PAGE).as_posix()}")
        assert status == 200
        assert body == path.read_bytes()
        assert headers["content-type"].startswith(TYPES[path.suffix])
        assert headers["x-content-type-options"] == "nosniff"
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["worker-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]


async def test_the_front_page_is_asked_for_again_but_sent_once(ask: Callable[..., Any]) -> None:
    status, headers, body = await ask("/")
    assert (status, body) == (200, (PAGE / "index.html").read_bytes())
    assert headers["cache-control"] == "no-cache"
    status, _, body = await ask("/", **{"If-None-Match": headers["etag"]})
    assert (status, body) == (304, b"")
    status, _, body = await ask("/", "HEAD")
    assert (status, body) == (200, b"")


@pytest.mark.parametrize(
    "path", ["/page/", "/page/../page.py", "/page/%2e%2e/page.py", "/page//etc/passwd", "/nothing"]
)
async def test_there_is_nothing_else(ask: Callable[..., Any], path: str) -> None:
    status, _, body = await ask(path)
    assert status == 404
    assert b"import" not in body


async def test_the_page_takes_no_orders(ask: Callable[..., Any]) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (await ask("/", method))[0] == 405
