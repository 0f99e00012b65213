"""Jobs over a real websocket, from submit to their end."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from job_forms import said, with_settings
from small_bridge import Bridge, Client, GatedEngine, a_job, grey, write_controlnet_outline, write_outline

from bridge.protocol.messages import (
    Ack,
    Cancel,
    Cancelled,
    Condition,
    Error,
    Extent,
    Failed,
    Get,
    Preview,
    Progress,
    Put,
    Queued,
    Rect,
    Result,
    ResultFormat,
    Started,
)


async def _fetch(client: Client, result: Result) -> bytes:
    picture = result.layers[0].picture
    data = b""
    while len(data) < picture.byte_count:
        await client.say(Get(picture.hash, len(data)))
        data += (await client.until(Put)).data
    return data


async def test_a_job_runs_from_submit_to_acknowledged_result(start: Callable[..., Any]) -> None:
    # What the library keeps outlasts the acknowledgement.
    client = await (await start(library="off")).client()
    data, picture = grey(16, 8)
    await client.store(data, picture)
    await client.say(a_job("one", picture, steps=3))
    result = await client.until(Result)
    kinds = [type(message) for message in client.seen if hasattr(message, "job") and not isinstance(message, Preview)]
    assert kinds == [Queued, Started, Progress, Progress, Progress, Result]
    numbers = [message.event for message in client.seen if hasattr(message, "event")]
    assert numbers == list(range(1, 7))
    assert said(result.layers[0].recipe).seed < 2**32
    assert said(result.layers[0].recipe).checkpoint
    layer = await _fetch(client, result)
    assert len(layer) == 16 * 8 * 4
    await client.say(Ack(result.event))
    await client.say(Get(result.layers[0].picture.hash))
    assert (await client.until(Error)).code == "picture_unknown"


async def test_each_picture_of_a_batch_has_its_seed(bridge: Bridge) -> None:
    client = await bridge.client()
    await client.say(a_job("one", batch=3, seed=7))
    result = await client.until(Result)
    assert [said(layer.recipe).seed for layer in result.layers] == [7, 8, 9]


async def test_a_preview_comes_between_start_and_end_and_only_when_wanted(bridge: Bridge) -> None:
    client = await bridge.client()
    await client.say(a_job("without", result=ResultFormat(previews=False)))
    await client.until(Result)
    assert not [message for message in client.seen if isinstance(message, Preview)]
    bridge.engine.gate.clear()
    await client.say(a_job("with"))
    await client.until(Started)
    bridge.engine.gate.set()
    await client.until(Result)
    # They come while the job runs; how many depends on who is faster.
    kinds = [type(message) for message in client.seen if getattr(message, "job", "") == "with"]
    assert Preview not in kinds[: kinds.index(Started)]
    assert kinds[-1] is Result


_REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("unsupported_mode", {"kind": "refine", "mode": "expand"}),
    ("unsupported_condition", {"conditions": (Condition("scribble", grey(16, 8)[1]),)}),
    ("unsupported_sampler", {"sampler": "Euler's own"}),
    ("checkpoint_unknown", {"checkpoint": "no such"}),
    ("bad_context", {"context": Rect(1, 0, 16, 8)}),
    ("bad_context", {"context": Rect(-1, 0, 16, 8)}),
    ("missing_field", {"picture": None}),
    ("picture_mismatch", {"picture": grey(8, 16)[1]}),
    ("picture_mismatch", {"picture": grey(16, 8, 1)[1]}),
    ("picture_mismatch", {"selection": grey(16, 8, 3)[1]}),
    ("picture_unknown", {"selection": grey(16, 8, 1, 77)[1]}),
    ("out_of_range", {"batch": 21}),
    ("text_too_long", {"batch": 20, "prompt": "\U0001f33b" * 8192, "negative_prompt": "\U0001f33b" * 8192}),
    ("out_of_range", {"result": ResultFormat("f32", "png")}),
    ("out_of_range", {"result": ResultFormat("u16", "webp")}),
    ("picture_too_large", {"canvas": Extent(1 << 20, 1 << 20), "context": Rect(0, 0, 1 << 20, 1 << 20)}),
    ("picture_too_large", {"result": ResultFormat("f32"), "batch": 16}),
    ("out_of_range", {"kind": "upscale"}),
    ("out_of_range", {"kind": "upscale", "scale": 3}),
    ("out_of_range", {"kind": "refine", "scale": 2}),
    ("missing_field", {"kind": "upscale", "scale": 2, "picture": None}),
    # Its result has more pixels than a picture may have; that of f32 at half the size, more bytes than are kept.
    (
        "picture_too_large",
        {"kind": "upscale", "scale": 4, "canvas": Extent(2048, 512), "context": Rect(0, 0, 2048, 512)},
    ),
    ("picture_too_large", {"kind": "upscale", "scale": 4, "result": ResultFormat("f32"), "batch": 16}),
]


async def test_a_job_that_cannot_be_done_fails_at_once_and_says_why(start: Callable[..., Any]) -> None:
    bridge = await start(replay_bytes=1 << 20, batch=20, picture_pixels=1 << 23)
    client = await bridge.client()
    data, picture = grey(16, 8)
    await client.store(data, picture)
    for number, (code, values) in enumerate(_REFUSED):
        if "result" in values and "batch" in values:
            big, large = grey(256, 128)
            await client.store(big, large)
            job = a_job(f"job {number}", large, **values)
        else:
            job = with_settings(a_job(f"job {number}", picture), **values)
        await client.say(job)
        failed = await client.until(Failed)
        assert (failed.job, failed.code) == (job.job, code), values
        assert failed.message
        assert failed.hint
    assert bridge.engine.order == []
    await client.say(a_job("good", picture))
    await client.until(Result)


async def test_a_job_needs_a_name_of_its_own_until_its_end_is_acknowledged(bridge: Bridge) -> None:
    client = await bridge.client()
    bridge.engine.gate.clear()
    await client.say(a_job("one"))
    await client.until(Started)
    await client.say(a_job("one"))
    error = await client.until(Error)
    assert (error.code, error.about) == ("job_exists", "one")
    bridge.engine.gate.set()
    result = await client.until(Result)
    await client.say(a_job("one"))
    assert (await client.until(Error)).code == "job_exists"
    await client.say(Ack(result.event))
    await client.say(a_job("one"))
    await client.until(Result)


async def test_an_engine_that_fails_breaks_or_falls_silent_ends_its_job_only(bridge: Bridge) -> None:
    client = await bridge.client()
    for prompt, code in (("fail", "out_of_memory"), ("break", "internal"), ("quiet", "internal")):
        await client.say(a_job(prompt, prompt=prompt))
        failed = await client.until(Failed)
        assert failed.code == code
        assert "secret" not in failed.message + failed.hint
    await client.say(a_job("good"))
    await client.until(Result)


async def test_cancelling_a_running_job_stops_it_and_starts_the_next(bridge: Bridge) -> None:
    client = await bridge.client()
    bridge.engine.gate.clear()
    await client.say(a_job("running", steps=50))
    await client.say(a_job("next"))
    await client.until(Started)
    await client.say(Cancel("running"))
    assert (await client.until(Cancelled)).job == "running"
    assert (await client.until(Started)).job == "next"
    bridge.engine.gate.set()
    assert (await client.until(Result)).job == "next"
    assert "running" not in bridge.engine.steps


async def test_a_cancel_right_behind_its_submit_is_not_lost(bridge: Bridge) -> None:
    client = await bridge.client()
    bridge.engine.gate.clear()
    for number in range(20):
        await asyncio.gather(client.say(a_job(f"{number}")), client.say(Cancel(f"{number}")))
        assert (await client.until(Cancelled)).job == f"{number}"
    assert bridge.engine.steps == {}


async def test_cancelling_a_waiting_job_never_starts_it(bridge: Bridge) -> None:
    client = await bridge.client()
    bridge.engine.gate.clear()
    for name in ("running", "waiting", "last"):
        await client.say(a_job(name))
    await client.until(Queued, lambda event: event.job == "last" and event.position == 2)
    await client.say(Cancel("waiting"))
    assert (await client.until(Cancelled)).job == "waiting"
    await client.until(Queued, lambda event: event.job == "last" and event.position == 1)
    bridge.engine.gate.set()
    await client.until(Result, lambda event: event.job == "last")
    assert bridge.engine.order == ["running", "last"]


async def test_cancel_names_one_job_of_ones_own(bridge: Bridge) -> None:
    mine, other = await bridge.client(), await bridge.client()
    bridge.engine.gate.clear()
    await mine.say(a_job("same"))
    await mine.until(Started)
    await other.say(a_job("same"))
    await other.until(Queued)
    await other.say(Cancel("same"))
    await other.until(Cancelled)
    await other.say(Cancel("same"))
    error = await other.until(Error)
    assert (error.code, error.about) == ("job_unknown", "same")
    bridge.engine.gate.set()
    await mine.until(Result)


async def test_sessions_take_turns(bridge: Bridge) -> None:
    busy, small = await bridge.client(), await bridge.client()
    bridge.engine.gate.clear()
    for number in range(4):
        await busy.say(a_job(f"busy {number}"))
    await busy.until(Queued, lambda event: event.job == "busy 3")
    await small.say(a_job("small"))
    assert (await small.until(Queued)).position == 2
    # The newcomer goes before what the other session has waiting beyond its next job.
    assert (await busy.until(Queued, lambda event: event.job == "busy 3" and event.position == 4)).position == 4
    bridge.engine.gate.set()
    await busy.until(Result, lambda event: event.job == "busy 3")
    assert bridge.engine.order == ["busy 0", "busy 1", "small", "busy 2", "busy 3"]


async def test_as_many_jobs_run_as_the_engine_has_slots(start: Callable[..., Any]) -> None:
    bridge = await start(GatedEngine(slots=2))
    client = await bridge.client()
    bridge.engine.gate.clear()
    for name in ("a", "b", "c"):
        await client.say(a_job(name))
    await client.until(Queued, lambda event: event.job == "c")
    assert [message.job for message in client.seen if isinstance(message, Started)] == ["a", "b"]


async def test_a_full_queue_refuses_more(start: Callable[..., Any]) -> None:
    bridge = await start(queued_jobs=2, queued_jobs_total=3)
    one, two = await bridge.client(), await bridge.client()
    bridge.engine.gate.clear()
    for number in range(3):
        await one.say(a_job(f"{number}"))
    await one.say(a_job("too many"))
    failed = await one.until(Failed)
    assert (failed.job, failed.code) == ("too many", "queue_full")
    await two.say(a_job("fits"))
    await two.until(Queued)
    await two.say(a_job("too many altogether"))
    failed = await two.until(Failed)
    assert failed.code == "queue_full"
    # Most of them are another's: nobody is asked to cancel one.
    assert failed.message == "3 jobs are waiting, which is the bridge's limit."
    assert failed.hint == "Wait until one of them has begun, then send this one again."
    bridge.engine.gate.set()
    await two.until(Result, lambda event: event.job == "fits")


async def test_who_acknowledges_nothing_is_refused_in_the_end(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.server.session.MOST_WAITING_EVENTS", 20)
    client = await bridge.client()
    await client.say(a_job("long", steps=200))
    result = await client.until(Result)
    assert result.event <= 21
    await client.say(a_job("more"))
    error = await client.until(Error)
    assert (error.code, error.about) == ("unacknowledged", "more")
    await client.say(Ack(result.event))
    await client.say(a_job("more"))
    await client.until(Result)


async def test_a_slow_reader_holds_up_neither_the_engine_nor_others(bridge: Bridge) -> None:
    slow, other = await bridge.client(), await bridge.client()
    # All previews together would be 56 MiB, far more than any socket buffers.
    bridge.engine.preview_side = 256
    await slow.say(a_job("slow", steps=300))
    # The slow one reads nothing; the other one's job waits for the whole of the first and ends.
    await other.say(a_job("other"))
    await other.until(Result)
    assert bridge.engine.steps["slow"] == 300
    await slow.until(Result)
    previews = [message for message in slow.seen if isinstance(message, Preview)]
    assert len(previews) < 150
    steps = [message.step for message in slow.seen if isinstance(message, Progress)]
    assert steps == list(range(1, 301))


async def test_positions_count_those_that_run(bridge: Bridge) -> None:
    client = await bridge.client()
    await client.say(a_job("alone"))
    assert (await client.until(Queued)).position == 0
    await asyncio.wait_for(client.until(Result), 10)


_SCRIBBLE = Condition("scribble", grey(16, 8, 1, 9)[1])
_REFUSED_CONDITIONS: list[tuple[str, Condition]] = [
    ("unsupported_condition", Condition("label_map", grey(16, 8, 3)[1])),
    ("unsupported_condition", Condition("reference", grey(16, 8, 3)[1])),
    ("unsupported_condition", dataclasses.replace(_SCRIBBLE, controlnet="nobody")),
    ("out_of_range", dataclasses.replace(_SCRIBBLE, start=0.7, end=0.5)),
    ("picture_mismatch", Condition("scribble", grey(8, 8, 1)[1])),
    ("picture_mismatch", dataclasses.replace(_SCRIBBLE, mask=grey(16, 8, 3)[1])),
    ("picture_mismatch", dataclasses.replace(_SCRIBBLE, mask=grey(8, 8, 1)[1])),
    ("picture_unknown", dataclasses.replace(_SCRIBBLE, mask=grey(16, 8, 1, 77)[1])),
]


async def test_conditions_are_told_checked_and_handed_on(start: Callable[..., Any], tmp_path: Path) -> None:
    write_outline(tmp_path / "models" / "outline")
    write_controlnet_outline(tmp_path / "models" / "controlnet" / "outline_scribble")
    bridge = await start(home=tmp_path)
    client = await bridge.client()
    assert client.welcome is not None
    taken = {info.name: info.conditions for info in client.welcome.checkpoints}
    assert (taken["outline"], taken["mini"]) == (("scribble",), ())
    data, picture = grey(16, 8)
    lines, scribble = grey(16, 8, 1, 9)
    await client.store(data, picture)
    await client.store(lines, scribble)
    for number, (code, condition) in enumerate(_REFUSED_CONDITIONS):
        await client.say(a_job(f"job {number}", picture, conditions=(condition,)))
        failed = await client.until(Failed)
        assert (failed.job, failed.code) == (f"job {number}", code), condition
        assert failed.hint
    assert bridge.engine.order == []
    await client.say(a_job("mini", picture, conditions=(_SCRIBBLE,), checkpoint="mini"))
    failed = await client.until(Failed)
    assert failed.code == "unsupported_condition"
    assert "mini cannot be guided by a scribble" in failed.message
    await client.say(a_job("good", picture, conditions=(_SCRIBBLE, _SCRIBBLE)))
    await client.until(Result)
    assert bridge.engine.order == ["good"]
    assert bridge.engine.pictures["good"] == {picture.hash, scribble.hash}
