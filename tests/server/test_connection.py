"""One connection: welcome, plan, and the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from job_forms import plan_of
from small_bridge import Bridge, GatedEngine, a_job
from websockets.exceptions import ConnectionClosed

from bridge.protocol.messages import (
    PROTOCOL_VERSION,
    Closing,
    ContextChoice,
    Device,
    Error,
    Extent,
    Failed,
    Hello,
    Plan,
    Planned,
    Queued,
    Rect,
    Resume,
)


async def test_welcome_says_what_there_is_and_the_device_follows(start: Callable[..., Any]) -> None:
    engine = GatedEngine()
    engine.known.clear()
    bridge = await start(engine, batch=5)
    client = await bridge.client()
    welcome = client.welcome
    assert welcome is not None
    assert welcome.device is None
    assert welcome.limits.batch == 5
    assert welcome.checkpoints[0].name == "outline"
    assert welcome.checkpoints[0].default_sampler in welcome.samplers
    engine.known.set()
    assert (await client.until(Device)).device.kind == "cpu"
    late = await bridge.client()
    assert late.welcome is not None
    assert late.welcome.device is not None


async def test_hello_comes_once_and_resume_right_after_welcome(bridge: Bridge) -> None:
    client = await bridge.client()
    await client.say(Plan(1, Extent(8, 8)))
    await client.until(Planned)
    await client.say(Resume("x", 0))
    assert (await client.until(Error)).code == "unexpected_message"
    await client.say(Hello(PROTOCOL_VERSION, "test", bridge.token))
    assert (await client.until(Error)).code == "unexpected_message"


async def test_a_text_frame_ends_the_connection(bridge: Bridge) -> None:
    client = await bridge.client()
    await client.socket.send("hello")
    assert (await client.until(Error)).code == "bad_frame"
    with pytest.raises(ConnectionClosed):
        await client.hear()


async def test_plan_answers_with_a_context_around_the_selection(bridge: Bridge) -> None:
    client = await bridge.client()
    await client.say(Plan(7, Extent(1920, 1280), Rect(800, 600, 200, 100)))
    planned = await client.until(Planned)
    context = planned.context
    assert planned.request == 7
    assert context.x <= 800 - 64
    assert context.y <= 600 - 64
    assert context.x + context.width >= 1000 + 64
    assert context.y + context.height >= 700 + 64
    assert planned.mode == "fill"
    assert planned.reach == pytest.approx(planned.grow + planned.feather, abs=1)
    assert planned.model_width % 8 == planned.model_height % 8 == 0
    assert 0.8 < planned.model_width * planned.model_height / 512**2 <= 1.06


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("empty_selection", {"selection": Rect(200, 200, 10, 10)}),
        ("bad_context", {"context": ContextChoice("rect")}),
        ("bad_context", {"context": ContextChoice("rect", Rect(90, 90, 20, 20))}),
        ("unsupported_mode", {"kind": "refine", "mode": "remove"}),
        ("checkpoint_unknown", {"checkpoint": "../../etc"}),
        ("picture_too_large", {"canvas": Extent(100_000, 100_000), "context": ContextChoice("canvas")}),
        ("picture_too_large", {"canvas": Extent(10_000, 10_000), "kind": "upscale", "scale": 2}),
        ("out_of_range", {"kind": "upscale"}),
        ("out_of_range", {"kind": "fill", "scale": 2}),
    ],
)
async def test_a_plan_that_cannot_be_is_refused_by_its_number(
    bridge: Bridge, code: str, values: dict[str, Any]
) -> None:
    client = await bridge.client()
    await client.say(plan_of(**{"request": 3, "canvas": Extent(100, 100), **values}))
    error = await client.until(Error)
    assert (error.code, error.about) == (code, "3")
    assert len(error.message) > 10


async def test_shutdown_ends_jobs_and_tells_every_client(bridge: Bridge) -> None:
    busy, idle = await bridge.client(), await bridge.client()
    bridge.engine.gate.clear()
    await busy.say(a_job("runs"))
    await busy.say(a_job("waits"))
    await busy.until(Queued, lambda event: event.job == "waits")
    bridge.server.stop()
    for job in ("waits", "runs"):
        failed = await busy.until(Failed)
        assert (failed.job, failed.code) == (job, "shutting_down")
    for client in (busy, idle):
        assert "shutting down" in (await client.until(Closing)).reason
        with pytest.raises(ConnectionClosed):
            await client.hear()
        assert client.socket.close_code == 1001
    assert bridge.engine.closed


async def test_an_unforeseen_error_is_internal_and_the_connection_goes_on(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await bridge.client()

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret words of an exception")

    with monkeypatch.context() as patch:
        patch.setattr("bridge.server.service.plan_job", broken)
        await client.say(Plan(4, Extent(8, 8)))
        error = await client.until(Error)
    assert (error.code, error.about) == ("internal", "4")
    assert "secret" not in error.message + error.hint
    await client.say(Plan(5, Extent(8, 8)))
    assert (await client.until(Planned)).request == 5
