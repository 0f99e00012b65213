"""Cancelling: where it takes effect, and whom it leaves alone."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from bridge.engine.local import LocalEngine
from bridge.engine.port import EngineEvent, TaskCancelled, TaskFinished, TaskProgress

pytestmark = pytest.mark.asyncio(loop_scope="session")


def last_step(events: list[EngineEvent]) -> int:
    return max(event.step for event in events if isinstance(event, TaskProgress) and event.stage == "denoise")


async def test_in_step_3_of_400_so_that_step_5_never_runs(engine: LocalEngine, jobs: Any) -> None:
    def react(event: EngineEvent) -> None:
        if jobs.denoising(event, 3):
            engine.cancel("long")

    events = await jobs.follow(engine, jobs.task("long", checkpoint="slow"), react)
    assert isinstance(events[-1], TaskCancelled)
    assert last_step(events) in (3, 4)
    await jobs.finish(engine, jobs.task("next"))


async def test_while_loading(engine: LocalEngine, jobs: Any) -> None:
    # Another checkpoint than the last job's, so that there is something to load.
    def react(event: EngineEvent) -> None:
        if isinstance(event, TaskProgress) and event.stage == "load":
            engine.cancel("loading")

    await jobs.finish(engine, jobs.task("before", checkpoint="tiny"))
    events = await jobs.follow(engine, jobs.task("loading", checkpoint="inpaint"), react)
    assert events == [TaskProgress("load", 0, 3, None), TaskCancelled()]


async def test_before_decoding(engine: LocalEngine, jobs: Any) -> None:
    """A cancel that comes in the last step, or between two pictures' decoding, is in time."""

    def react(event: EngineEvent) -> None:
        if jobs.denoising(event, 8):
            engine.cancel("late")

    task = jobs.task("late", checkpoint="slow", steps=2, batch=4)
    events = await jobs.follow(engine, task, react)
    assert isinstance(events[-1], TaskCancelled)
    assert not [event for event in events if isinstance(event, TaskProgress) and event.stage == "compose"]


async def test_one_leaves_the_other_alone(engine: LocalEngine, jobs: Any) -> None:
    expected = await jobs.finish(engine, jobs.task("alone", steps=6))
    running = asyncio.create_task(jobs.follow(engine, jobs.task("running", checkpoint="slow", steps=12)))
    waiting = asyncio.create_task(jobs.follow(engine, jobs.task("waiting")))
    last = asyncio.create_task(jobs.follow(engine, jobs.task("last", steps=6)))
    await asyncio.sleep(0)
    engine.cancel("waiting")
    assert await waiting == [TaskCancelled()]
    assert not running.done()
    events = await running
    assert isinstance(events[-1], TaskFinished)
    assert last_step(events) == 12
    (end,) = (await last)[-1:]
    assert isinstance(end, TaskFinished)
    assert end.layers == expected.layers


async def test_what_is_unknown_or_over_is_no_error(engine: LocalEngine, jobs: Any) -> None:
    engine.cancel("never heard of")
    await jobs.finish(engine, jobs.task("over"))
    engine.cancel("over")
    await jobs.finish(engine, jobs.task("over"))


async def test_a_stream_that_is_closed_cancels_its_task(engine: LocalEngine, jobs: Any) -> None:
    stream = engine.submit(jobs.task("left", checkpoint="slow"))
    async for event in stream:
        if jobs.denoising(event, 2):
            break
    await stream.aclose()
    # 400 steps would outlast everybody's patience.
    await jobs.finish(engine, jobs.task("next"))


async def test_while_the_worker_starts_it_ends_at_once(new_engine: Any, jobs: Any) -> None:
    async with new_engine() as engine:
        following = asyncio.create_task(jobs.follow(engine, jobs.task("early")))
        await asyncio.sleep(0)
        device = asyncio.create_task(engine.devices())
        engine.cancel("early")
        assert await following == [TaskCancelled()]
        assert not device.done()


async def test_pictures_of_cancelled_jobs_leave_shared_memory(engine: LocalEngine, jobs: Any) -> None:
    def react(event: EngineEvent) -> None:
        if jobs.denoising(event, 1):
            engine.cancel("big")

    task = jobs.task("big", checkpoint="slow")
    await jobs.follow(engine, dataclasses.replace(task), react)
    assert jobs.segments(engine) == []
