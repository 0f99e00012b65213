"""What docs/protocol.md says of refusals, of how connections end, and of rectangles, is what the bridge does."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from small_bridge import Bridge, a_job, grey
from websockets.exceptions import ConnectionClosed

from bridge.canvas.context import MODES as CANVAS_MODES
from bridge.protocol.errors import CloseCode
from bridge.protocol.messages import (
    MODES,
    PROTOCOL_VERSION,
    Ack,
    Cancel,
    CaptionedImage,
    ContextChoice,
    Error,
    Extent,
    Failed,
    Get,
    Hello,
    JobSettings,
    Message,
    Offer,
    Picture,
    Plan,
    Planned,
    Pull,
    Put,
    Queued,
    Rect,
    Result,
    ResultFormat,
    Resume,
    Started,
    Stop,
    Train,
)

GUIDE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
HASH = "0" * 64
_, GREY = grey(8, 8)

WRONG_JOBS: list[tuple[str, Any]] = [
    ("bad_context", a_job("it", canvas=Extent(4, 4))),
    ("bad_context", a_job("it", context=Rect(-1, 0, 8, 8))),
    ("checkpoint_unknown", a_job("it", checkpoint="nobody's")),
    ("unsupported_mode", a_job("it", GREY, kind="refine", mode="remove")),
    ("unsupported_sampler", a_job("it", sampler="a dice")),
    ("missing_field", a_job("it", kind="refine")),
    ("picture_unknown", a_job("it", GREY)),
    ("picture_mismatch", a_job("it", GREY, context=Rect(0, 0, 4, 4))),
    ("picture_too_large", a_job("it", canvas=Extent(1 << 20, 1 << 20), context=Rect(0, 0, 1 << 20, 1 << 20))),
    ("out_of_range", a_job("it", batch=64)),
    ("out_of_range", a_job("it", result=ResultFormat("f32", "png"))),
    ("out_of_range", a_job("it", scale=2)),
    ("prompt_unreadable", a_job("it", prompt="(red:9999)")),
    ("lora_unknown", a_job("it", prompt="<lora:nobody:1>")),
    ("picture_unknown", Train("it", "style", (CaptionedImage(GREY),))),
]


@pytest.mark.parametrize(("code", "job"), WRONG_JOBS, ids=lambda value: value if isinstance(value, str) else "")
async def test_what_is_wrong_with_a_job_is_its_end(bridge: Bridge, code: str, job: Any) -> None:
    client = await bridge.client()
    await client.say(job)
    failed = await client.until(Failed)
    assert (failed.event, failed.job, failed.code) == (1, "it", code)
    assert not any(isinstance(message, Error | Queued) for message in client.seen)


WRONG_MESSAGES: list[tuple[str, str, Message]] = [
    ("empty_selection", "7", Plan(7, Extent(8, 8), Rect(9, 9, 2, 2))),
    ("picture_too_large", HASH, Offer((Picture(HASH, 1, 1 << 20, 1 << 20, 4),))),
    ("picture_unknown", HASH, Put(HASH, 0, b"x")),
    ("picture_unknown", HASH, Get(HASH)),
    ("job_unknown", "it", Cancel("it")),
    ("out_of_range", "", Ack(1)),
    ("pull_unknown", "nobody/nothing", Pull("nobody/nothing")),
    ("pull_unknown", "nobody/nothing", Stop("nobody/nothing")),
    ("session_unknown", "nobody's", Resume("nobody's", 0)),
]


@pytest.mark.parametrize(("code", "about", "message"), WRONG_MESSAGES, ids=lambda value: type(value).__name__)
async def test_what_is_wrong_with_any_other_message_is_an_error(
    bridge: Bridge, code: str, about: str, message: Message
) -> None:
    client = await bridge.client()
    await client.say(message)
    error = await client.until(Error)
    assert (error.code, error.about) == (code, about)
    await client.say(a_job("after"))
    await client.until(Result)


async def test_what_cannot_be_read_is_an_error_also_in_a_submit(bridge: Bridge) -> None:
    client = await bridge.client()
    await client.say(a_job("it", strength=1.5))
    error = await client.until(Error)
    assert (error.code, error.about) == ("out_of_range", "")
    await client.say(a_job("it"))
    assert (await client.until(Result)).job == "it"


async def test_a_name_is_free_again_when_its_end_is_acknowledged(bridge: Bridge) -> None:
    client = await bridge.client()
    await client.say(a_job("it"))
    result = await client.until(Result)
    await client.say(a_job("it"))
    error = await client.until(Error)
    assert (error.code, error.about) == ("job_exists", "it")
    await client.say(Ack(result.event))
    await client.say(a_job("it"))
    await client.until(Result)


# ---------------------------------------------------------------- how a connection ends


async def _code(client: Any) -> tuple[int | None, str]:
    """With what the bridge closes, and what it says before."""
    last = ""
    with contextlib.suppress(ConnectionClosed):
        while True:
            message = await client.hear()
            last = message.code if isinstance(message, Error) else type(message).__name__
    return client.socket.close_code, last


async def test_connections_end_with_the_codes_of_the_guide(start: Callable[..., Any]) -> None:
    bridge = await start(connections=3, hello_seconds=0.5)
    client = await bridge.client()
    assert client.welcome is not None
    await client.say(a_job("one"))
    await client.until(Result)
    thief = await bridge.client()
    await thief.say(Resume(client.welcome.session, 0))
    assert await _code(client) == (CloseCode.TAKEN_OVER, "Closing")
    stranger = await bridge.open()
    await stranger.say(Hello(PROTOCOL_VERSION, "test", "wrong"))
    assert await _code(stranger) == (CloseCode.REFUSED, "unauthorized")
    assert await _code(await bridge.open()) == (CloseCode.REFUSED, "hello_timeout")
    large = await bridge.client()
    await large.socket.send(bytes(2 << 20))
    assert (await _code(large))[0] == CloseCode.TOO_LARGE
    crowd = [await bridge.client() for _ in range(2)]
    assert await _code(await bridge.open()) == (CloseCode.TRY_LATER, "too_many_connections")
    bridge.server.stop()
    assert await _code(crowd[0]) == (CloseCode.GOING_AWAY, "Closing")


async def test_who_answers_no_ping_is_cut_with_a_code(
    start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.server.app.PING_SECONDS", 0.05)
    monkeypatch.setattr("bridge.server.app.PONG_SECONDS", 0.05)
    bridge = await start()
    parts = urlsplit(bridge.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    said = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    # A close frame: its code in two bytes, then words.
    assert b"\x88" in said
    assert CloseCode.NO_PONG.to_bytes(2, "big") + b"keepalive" in said


def test_every_code_is_in_the_guide() -> None:
    told = re.findall(r"^\| (\d{4}) \| (.*) \|$", GUIDE, re.MULTILINE)
    assert told == [(f"{code:d}", code.meaning) for code in CloseCode]


# ---------------------------------------------------------------- modes and rectangles


def test_a_recipes_mode_can_be_asked_for() -> None:
    """The canvas's modes, by which recipes are written, are those of the wire."""
    assert MODES == CANVAS_MODES


async def test_only_a_plans_selection_may_lie_outside(bridge: Bridge) -> None:
    client = await bridge.client()
    canvas = Extent(400, 300)
    for selection in (Rect(-50, -50, 100, 100), Rect(350, 250, 500, 500), Rect(-10, -10, 9999, 9999)):
        await client.say(Plan(1, canvas, selection))
        context = (await client.until(Planned)).context
        assert context.x >= 0
        assert context.y >= 0
        assert context.x + context.width <= canvas.width
        assert context.y + context.height <= canvas.height
    for kind, mode, rect in (
        ("fill", "fill", Rect(-1, 0, 200, 200)),
        ("fill", "fill", Rect(300, 200, 101, 50)),
        ("fill", "fill", Rect(0, 0, 50, 50)),
        ("fill", "background", Rect(0, 0, 399, 300)),
    ):
        choice = ContextChoice("rect", rect)
        await client.say(Plan(2, canvas, Rect(40, 40, 50, 50), choice, JobSettings(kind, mode)))
        assert (await client.until(Error)).code == "bad_context"
    # What lies on the canvas of a selection is what the rectangle must hold.
    choice = ContextChoice("rect", Rect(0, 0, 60, 60))
    await client.say(Plan(3, canvas, Rect(-50, -50, 100, 100), context=choice))
    assert (await client.until(Planned)).context == choice.rect


async def test_a_context_need_not_be_the_one_that_was_planned(bridge: Bridge) -> None:
    client = await bridge.client()
    await client.say(a_job("it", canvas=Extent(400, 300), context=Rect(392, 292, 8, 8)))
    await client.until(Started)
    layer = (await client.until(Result)).layers[0]
    assert (layer.x, layer.y, layer.recipe.context) == (392, 292, Rect(392, 292, 8, 8))
