"""Who may use the HTTP APIs."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest
from small_bridge import Bridge, GatedEngine

from bridge.server.apis.gate import Gate
from bridge.server.apis.openai.shape import OpenAIShape
from bridge.server.app import BridgeServer
from bridge.server.errors import AddressUnavailable
from bridge.server.settings import Settings

ENDPOINTS = ("/sdapi/v1/samplers", "/v1/models")


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_the_token_as_bearer_basic_or_in_the_address(
    bridge: Bridge, http: Callable[..., Any], endpoint: str
) -> None:
    async with http(headers={}) as client:
        for headers in ({"Authorization": f"Bearer {bridge.token}"}, basic("anybody", bridge.token)):
            assert (await client.get(endpoint, headers=headers)).status_code == 200
        assert (await client.get(f"/key/{bridge.token}{endpoint}")).status_code == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_without_the_token_nobody_learns_anything(
    bridge: Bridge, http: Callable[..., Any], endpoint: str
) -> None:
    wrong = "x" * len(bridge.token)
    async with http(headers={}) as client:
        for path, headers in (
            (endpoint, {}),
            (endpoint, {"Authorization": f"Bearer {wrong}"}),
            (endpoint, {"Authorization": f"Bearer {bridge.token}x"}),
            (endpoint, {"Authorization": "Basic !!!"}),
            (endpoint, basic(bridge.token, "")),
            (f"/key/{wrong}{endpoint}", {}),
            (f"/key/{endpoint}", {"Authorization": f"Bearer {bridge.token}"}),
            ("/key/", {}),
            (f"{endpoint}/unheard-of", {}),
        ):
            response = await client.get(path, headers=headers)
            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith("Basic")
            assert "refused the token" in response.text


async def test_a_body_is_not_waited_for_without_the_token(bridge: Bridge) -> None:
    host = urlsplit(bridge.url).netloc
    reader, writer = await asyncio.open_connection(*host.split(":"))
    head = f"POST /sdapi/v1/txt2img HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000000\r\n\r\n"
    writer.write(head.encode())
    async with asyncio.timeout(20):
        assert b" 401 " in await reader.readline()
    writer.close()


async def test_a_rotated_token_counts_no_more(bridge: Bridge, http: Callable[..., Any]) -> None:
    old = bridge.token
    async with http(headers={}) as client:
        assert (await client.get(f"/key/{old}/v1/models")).status_code == 200
        fresh = bridge.server.runtime.rotate_token()
        assert (await client.get(f"/key/{old}/v1/models")).status_code == 401
        assert (await client.get(f"/key/{fresh}/v1/models")).status_code == 200


async def test_the_token_is_never_logged(
    start: Callable[..., Any], http: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bridge = await start()
    async with http(bridge, headers={}) as client:
        key = f"/key/{bridge.token}"
        await client.get(f"{key}/v1/models")
        await client.get(f"{key}/v1/unheard-of")
        await client.get(f"{key}x/v1/models")
        for prompt in ("break", "a cat"):
            await client.post(f"{key}/sdapi/v1/txt2img", json={"prompt": prompt, "width": 64, "unheard_of": 1})
        await client.get(f"{key}/v1/models", headers={"Origin": "https://evil.example"})
    said = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx2")]
    assert any("fields without effect" in line for line in said)
    assert not any(bridge.token in line for line in said)


class _Nobody:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked of a stranger's request")


async def test_other_machines_are_refused_whatever_they_show() -> None:
    gate = Gate(_Nobody(), _Nobody(), lambda _: OpenAIShape())  # type: ignore[arg-type]
    for peer in (("192.0.2.7", 4711), ("::ffff:192.0.2.7", 1), None):
        sent: list[dict[str, Any]] = []

        async def send(message: Any, sent: list[dict[str, Any]] = sent) -> None:
            sent.append(message)

        scope = {"type": "http", "path": "/v1/models", "headers": [(b"authorization", b"Bearer x")], "client": peer}
        await gate(scope, _Nobody(), send)  # type: ignore[arg-type]
        assert sent[0]["status"] == 401
        assert b"own machine" in sent[1]["body"]


async def test_pages_must_be_named_in_the_settings(start: Callable[..., Any], http: Callable[..., Any]) -> None:
    page = "https://editor.example"
    bridge = await start(allowed_origins=(page,))
    async with http(bridge) as client:
        stranger = await client.get("/v1/models", headers={"Origin": "https://evil.example"})
        assert stranger.status_code == 403
        assert "access-control-allow-origin" not in stranger.headers
        named = await client.get("/v1/models", headers={"Origin": page})
        assert (named.status_code, named.headers["access-control-allow-origin"]) == (200, page)
        asked = {
            "Origin": page, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
            "Access-Control-Request-Private-Network": "true",
        }  # fmt: skip
        before = await client.options("/sdapi/v1/txt2img", headers={**asked, "Authorization": ""})
        assert before.status_code == 200
        assert before.headers["access-control-allow-origin"] == page
        assert before.headers["access-control-allow-private-network"] == "true"
        refused = await client.options("/sdapi/v1/txt2img", headers={**asked, "Origin": "https://evil.example"})
        assert refused.status_code == 403


async def test_a_crowd_of_requests_is_kept_out(start: Callable[..., Any], http: Callable[..., Any]) -> None:
    bridge = await start(GatedEngine(), queued_jobs=64)
    bridge.engine.gate.clear()
    async with http(bridge, limits=httpx2.Limits(max_connections=64)) as client:
        job = {"width": 64, "steps": 1, "padding": "x" * (64 << 10)}
        requests = [asyncio.create_task(client.post("/sdapi/v1/txt2img", json=job)) for _ in range(40)]
        async with asyncio.timeout(60):
            while sum(request.done() for request in requests) < 8:
                await asyncio.sleep(0.01)
        # What is small comes in all the same.
        assert (await client.get("/sdapi/v1/progress")).status_code == 200
        bridge.engine.gate.set()
        codes = [(await request).status_code for request in requests]
    assert codes.count(503) == 8
    assert codes.count(200) == 32


async def test_a_second_port_where_such_clients_look(start: Callable[..., Any], http: Callable[..., Any]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    bridge = await start(a1111_port=port)
    assert urlsplit(bridge.url).port != port
    for address in (f"http://127.0.0.1:{port}", bridge.url.replace("ws:", "http:").removesuffix("/ws")):
        async with http(bridge, base_url=address) as client:
            assert (await client.get("/sdapi/v1/samplers")).status_code == 200


async def test_a_second_port_that_is_taken(tmp_path: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(port=0, a1111_port=taken.getsockname()[1])
        server = BridgeServer(settings, home=tmp_path, engine=GatedEngine())
        with pytest.raises(AddressUnavailable, match=str(settings.a1111_port)) as refused:
            await server.run()
    assert "--a1111-port" in refused.value.hint


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_slashes_that_clients_put_in_when_they_join_addresses(
    bridge: Bridge, http: Callable[..., Any], endpoint: str
) -> None:
    home = bridge.url.replace("ws://", "http://").removesuffix("/ws")
    base = f"{home}/key/{bridge.token}/"
    paths = (f"{base}{endpoint}", f"{base}{endpoint}/", urljoin(base, endpoint[1:]), base + endpoint.replace("/", "//"))
    async with http(headers={}) as client:
        for address in paths:
            response = await client.get(address)
            assert (response.status_code, response.headers.get("location")) == (200, None), address
        bearer = {"Authorization": f"Bearer {bridge.token}"}
        for address in (f"{home}/{endpoint}", f"{home}{endpoint}/"):
            assert (await client.get(address, headers=bearer)).status_code == 200
            assert (await client.get(address)).status_code == 401


async def test_whatever_there_is_not_is_answered_in_json(bridge: Bridge, http: Callable[..., Any]) -> None:
    key = f"/key/{bridge.token}"
    async with http(headers={}) as client:
        for path in ("/config", "/user", "/user/", "/unheard-of", f"{key}/config", f"{key}/user", key, f"{key}/"):
            response = await client.get(path)
            assert (response.status_code, response.json()) == (404, {"detail": "Not Found"}), path
        assert set((await client.get(f"{key}/v1/unheard-of")).json()) == {"error"}
