"""Who may come in: the rules, and real connections that are refused before any work."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from small_bridge import Bridge, a_job
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bridge.protocol.errors import CloseCode
from bridge.protocol.messages import PROTOCOL_VERSION, Error, Extent, Hello, Plan, Result
from bridge.server.access import check_listening, host_allowed, is_loopback, origin_allowed, token_matches
from bridge.server.errors import TlsRequired


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:7830", "127.0.0.1", "127.0.0.1:80", "127.9.8.7", "[::1]", "[::1]:7830"]
)
def test_literal_loopback_hosts_are_allowed(host: str) -> None:
    assert host_allowed(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:7830",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example@127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "128.0.0.1",
        "0.0.0.0",
        "::1",
        "[::2]",
        "localhost:",
        "localhost:80:80",
        "localhost/",
        " localhost",
        "localhost\n",
        "localhost, evil.example",
    ],
)
def test_any_other_host_is_not(host: str | None) -> None:
    assert not host_allowed(host)


def test_a_configured_host_is_allowed_with_any_port() -> None:
    assert host_allowed("Studio.example:7830", ["studio.EXAMPLE"])
    assert not host_allowed("other.example", ["studio.example"])


def test_origins() -> None:
    assert origin_allowed(None, "127.0.0.1:7830", tls=False)
    assert origin_allowed("http://127.0.0.1:7830", "127.0.0.1:7830", tls=False)
    assert origin_allowed("https://a.example", "127.0.0.1:7830", tls=False, allowed=["https://a.example/"])
    for origin in ("https://evil.example", "null", "", "http://127.0.0.1:80", "https://127.0.0.1:7830", "file://"):
        assert not origin_allowed(origin, "127.0.0.1:7830", tls=False)


def test_tokens_of_any_letters_are_compared() -> None:
    assert token_matches("abc", "abc")
    assert not token_matches("äbc", "abc")
    assert not token_matches("", "abc")
    assert not token_matches("abcd", "abc")


def test_leaving_loopback_needs_tls() -> None:
    check_listening("127.0.0.1", tls=False)
    check_listening("0.0.0.0", tls=True)
    for host in ("0.0.0.0", "::", "", "192.168.1.5", "studio.example"):
        assert not is_loopback(host)
        with pytest.raises(TlsRequired, match="unencrypted"):
            check_listening(host, tls=False)


# ---------------------------------------------------------------- over real sockets


async def _refused_with_403(bridge: Bridge, **headers: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(bridge.url, proxy=None, additional_headers=headers):
            pass
    assert refused.value.response.status_code == 403


async def test_a_foreign_origin_is_refused_before_the_websocket_opens(bridge: Bridge) -> None:
    await _refused_with_403(bridge, Origin="https://evil.example")
    await _refused_with_403(bridge, Origin="null")


async def test_the_bridges_own_origin_and_one_from_the_settings_may_connect(start: Callable[..., Any]) -> None:
    bridge = await start(allowed_origins=("https://paint.example",))
    own = "http://" + urlsplit(bridge.url).netloc
    for origin in (own, "https://paint.example"):
        client = await bridge.open(additional_headers={"Origin": origin})
        await client.greet(bridge.token)


async def test_a_foreign_host_is_refused_with_and_without_a_websocket(bridge: Bridge) -> None:
    parts = urlsplit(bridge.url)
    for upgrade in (
        "",
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
    ):
        for path in ("/", "/ws"):
            answer = await _raw(parts, f"GET {path} HTTP/1.1\r\nHost: evil.example:{parts.port}\r\n{upgrade}\r\n")
            assert answer.startswith(b"HTTP/1.1 403"), (path, upgrade, answer[:80])


async def _raw(parts: Any, request: str) -> bytes:
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request.encode())
    answer = await asyncio.wait_for(reader.read(200), 10)
    writer.close()
    return answer


async def test_the_front_page_says_what_this_is(bridge: Bridge) -> None:
    parts = urlsplit(bridge.url)
    answer = await _raw(parts, f"GET / HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"server:" not in answer.lower()


@pytest.mark.parametrize("token", ["", "wrong", "x" * 43])
async def test_no_and_wrong_tokens_are_refused_and_the_socket_closed(bridge: Bridge, token: str) -> None:
    client = await bridge.open()
    await client.say(Hello(PROTOCOL_VERSION, "test", token))
    assert (await client.until(Error)).code == "unauthorized"
    with pytest.raises(ConnectionClosed):
        await client.hear()
    assert client.socket.close_code == 1008


async def test_without_hello_nothing_is_answered_but_errors(bridge: Bridge) -> None:
    client = await bridge.open()
    await client.say(a_job("one"))
    assert (await client.until(Error)).code == "unexpected_message"
    await client.say(Plan(1, Extent(8, 8)))
    assert (await client.until(Error)).code == "unexpected_message"
    assert bridge.engine.order == []


async def test_a_large_frame_before_hello_closes(bridge: Bridge) -> None:
    client = await bridge.open()
    await client.socket.send(bytes(100_000))
    assert (await client.until(Error)).code == "frame_too_large"
    with pytest.raises(ConnectionClosed):
        await client.hear()


async def test_a_frame_beyond_the_limit_is_not_read(bridge: Bridge) -> None:
    client = await bridge.client()
    with contextlib.suppress(ConnectionClosed):
        await client.socket.send(bytes(2 << 20))
    with pytest.raises(ConnectionClosed):
        await client.hear()
    assert client.socket.close_code == 1009


async def test_who_does_not_introduce_himself_in_time_is_closed(start: Callable[..., Any]) -> None:
    bridge = await start(hello_seconds=0.05)
    client = await bridge.open()
    assert (await client.until(Error)).code == "hello_timeout"
    with pytest.raises(ConnectionClosed):
        await client.hear()


async def test_another_version_is_refused_with_the_one_that_is_served(bridge: Bridge) -> None:
    client = await bridge.open()
    await client.say(Hello(PROTOCOL_VERSION + 1, "test", bridge.token))
    error = await client.until(Error)
    assert error.code == "version_unsupported"
    assert str(PROTOCOL_VERSION) in error.message


async def test_a_rotated_token_counts_at_once(bridge: Bridge) -> None:
    old = bridge.token
    await bridge.client()
    new = bridge.server.runtime.rotate_token()
    stale = await bridge.open()
    await stale.say(Hello(PROTOCOL_VERSION, "test", old))
    assert (await stale.until(Error)).code == "unauthorized"
    fresh = await bridge.open()
    await fresh.greet(new)


async def test_strangers_are_few_and_do_not_keep_others_out_for_long(start: Callable[..., Any]) -> None:
    bridge = await start(unauthenticated_connections=2)
    strangers = [await bridge.open() for _ in range(2)]
    third = await bridge.open()
    error = await third.until(Error)
    # There is nothing that its reader could close.
    assert (error.code, error.hint) == ("too_many_connections", "Connect again in a few seconds.")
    await strangers[0].greet(bridge.token)
    await bridge.client()


async def test_connections_are_limited(start: Callable[..., Any]) -> None:
    bridge = await start(connections=2)
    for _ in range(2):
        await bridge.client()
    crowd = await bridge.open()
    error = await crowd.until(Error)
    assert (error.code, error.message) == (
        "too_many_connections",
        "2 clients are connected, which is the bridge's limit.",
    )
    with pytest.raises(ConnectionClosed):
        await crowd.hear()
    assert crowd.socket.close_code == CloseCode.TRY_LATER


_PING = b"\x89\xfd\0\0\0\0" + bytes(125)
_EMPTY_FRAGMENT = b"\0\x80\0\0\0\0"


@pytest.mark.parametrize(("frame", "count"), [(_PING, 400_000), (_EMPTY_FRAGMENT, 2_000_000)])
async def test_who_fills_the_memory_past_the_size_limits_is_cut_off(bridge: Bridge, frame: bytes, count: int) -> None:
    """Pings whose pongs are not read, and messages of endless empty fragments."""
    parts = urlsplit(bridge.url)
    raw = socket.socket()
    # Small, so that the peer's buffer does not take all answers.
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect((parts.hostname, parts.port))
    raw.sendall(
        f"GET /ws HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    raw.setblocking(False)

    async def send_for_long() -> None:
        loop = asyncio.get_running_loop()
        # The beginning of a binary message.
        await loop.sock_sendall(raw, b"\x02\x81\0\0\0\0x")
        for _ in range(count // 1000):
            await loop.sock_sendall(raw, frame * 1000)

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(send_for_long(), 30)
    raw.close()


async def test_who_connects_and_asks_for_nothing_is_cut_off(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.server.web._REQUEST_SECONDS", 0.05)
    bridge = await start()
    parts = urlsplit(bridge.url)
    for beginning in (b"", b"GET /ws HTTP/1.1\r\n"):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(beginning)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
    client = await bridge.client()
    await client.say(a_job("one"))
    await client.until(Result)


async def test_a_crowd_of_sockets_is_cut_off(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.server.web._MOST_SOCKETS", 3)
    bridge = await start()
    parts = urlsplit(bridge.url)
    crowd = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(4)]
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(crowd[-1][0].read(), 10) == b""
    for _, writer in crowd:
        writer.close()
    while bridge.server._web.server_state.connections:
        await asyncio.sleep(0)
    client = await bridge.client()
    await client.say(a_job("one"))
    await client.until(Result)
