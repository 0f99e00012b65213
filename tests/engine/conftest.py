"""Real engines on tiny checkpoints, and jobs for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from job_forms import submit_of, with_settings
from tiny_checkpoints import build_tiny_sd1

from bridge.engine.local import EngineSettings, LocalEngine
from bridge.engine.port import EngineEvent, Task, TaskCancelled, TaskFailed, TaskFinished, TaskProgress
from bridge.protocol.messages import Extent, Rect
from bridge.protocol.pixels import describe

PATIENCE = 120.0
"""Seconds that anything may take on a busy machine before a test gives up."""

WIDTH, HEIGHT = 96, 80
SELECTED = (slice(24, 56), slice(32, 64))


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny` and `inpaint` paint 64 pixels; `slow` paints 256, so that a step takes longer than a message."""
    folder = tmp_path_factory.mktemp("models")
    build_tiny_sd1(folder / "tiny", inpaint=False)
    build_tiny_sd1(folder / "inpaint", inpaint=True)
    build_tiny_sd1(folder / "slow", inpaint=False, size=256, steps=400)
    return folder


@pytest.fixture(scope="session")
def new_engine(models: Path) -> Callable[..., Any]:
    """`async with new_engine(heartbeat_seconds=...) as engine`: started, closed, and nothing left in shared memory."""

    @asynccontextmanager
    async def new(**settings: Any) -> AsyncIterator[LocalEngine]:
        settings = {"models": (str(models),), "default_checkpoint": "tiny", "device": "cpu", **settings}
        engine = LocalEngine(EngineSettings(**settings))
        await engine.start()
        try:
            yield engine
        finally:
            await engine.close()
            assert segments(engine) == []

    return new


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engine(new_engine: Callable[..., Any]) -> AsyncIterator[LocalEngine]:
    """One for all tests that do not ask for more; quick to notice silence."""
    # Importing libraries may hold up the heart for a moment.
    async with new_engine(heartbeat_seconds=0.1, silent_seconds=6.0) as engine:
        yield engine


def segments(engine: LocalEngine) -> list[str]:
    """Segments of an engine's that are in shared memory (seen on Linux only)."""
    return [path.name for path in Path("/dev/shm").glob(engine.segment_prefix + "*")]


def make_task(name: str, *, checkpoint: str = "tiny", **changes: Any) -> Task:
    """A fill of a soft square in seeded noise, 96 x 80 pixels at (10, 20) of a canvas of 200 x 150."""
    noise = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    noise[..., 3] = 255
    coverage = np.zeros((HEIGHT, WIDTH), np.uint8)
    coverage[SELECTED] = 255
    picture = describe(noise.tobytes(), width=WIDTH, height=HEIGHT, channels=4)
    selection = describe(coverage.tobytes(), width=WIDTH, height=HEIGHT, channels=1)
    submit = submit_of(
        job=name,
        kind="fill",
        canvas=Extent(200, 150),
        context=Rect(10, 20, WIDTH, HEIGHT),
        picture=picture,
        selection=selection,
        prompt="red flower",
        strength=1.0,
        seed=1,
        checkpoint=checkpoint,
    )
    submit = with_settings(submit, **changes)
    return Task(name, submit, {picture.hash: noise.tobytes(), selection.hash: coverage.tobytes()})


async def follow(
    engine: LocalEngine, task: Task, react: Callable[[EngineEvent], None] | None = None
) -> list[EngineEvent]:
    """Run a task to its end; its events, each shown to `react` as it comes."""
    events: list[EngineEvent] = []
    async with asyncio.timeout(PATIENCE):
        async for event in engine.submit(task):
            events.append(event)
            if react is not None:
                react(event)
    ends = [event for event in events if isinstance(event, (TaskFinished, TaskFailed, TaskCancelled))]
    assert ends == events[-1:], "a stream ends with exactly one end"
    return events


async def finish(engine: LocalEngine, task: Task) -> TaskFinished:
    """Run a task that succeeds."""
    end = (await follow(engine, task))[-1]
    assert isinstance(end, TaskFinished), end
    return end


def pixels(end: TaskFinished, index: int = 0) -> np.ndarray:
    """A raw layer's pixels, (h, w, 4)."""
    picture = end.layers[index].picture
    dtype = {"u8": "u1", "u16": "<u2", "f16": "<f2", "f32": "<f4"}[picture.depth]
    return np.frombuffer(end.pictures[picture.hash], dtype).reshape(picture.height, picture.width, 4)


def denoising(event: EngineEvent, step: int) -> bool:
    """Whether the event says that this denoising step is done."""
    return isinstance(event, TaskProgress) and event.stage == "denoise" and event.step == step


@pytest.fixture(scope="session")
def jobs() -> SimpleNamespace:
    """The functions above."""
    return SimpleNamespace(
        task=make_task,
        follow=follow,
        finish=finish,
        pixels=pixels,
        denoising=denoising,
        segments=segments,
        patience=PATIENCE,
        selected=SELECTED,
        size=(HEIGHT, WIDTH),
    )
