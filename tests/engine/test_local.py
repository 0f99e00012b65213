"""Jobs through a real worker process: what comes out, in what order, and what is refused."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import numpy as np
import pytest
from job_forms import said, with_settings

from bridge.engine.local import LocalEngine
from bridge.engine.port import Task, TaskFailed, TaskFinished, TaskPreview, TaskProgress
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Condition, Extent, Rect, ResultFormat
from bridge.protocol.pixels import describe

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_device_is_told(engine: LocalEngine) -> None:
    (device,) = (await engine.devices()).values()
    assert (device.kind, device.precision) == ("cpu", "float32")
    assert device.memory_bytes > 1 << 28


@pytest.mark.parametrize("checkpoint", ["tiny", "inpaint"])
async def test_fill(engine: LocalEngine, jobs: Any, checkpoint: str) -> None:
    events = await jobs.follow(engine, jobs.task("fill", checkpoint=checkpoint))
    end = events[-1]
    assert isinstance(end, TaskFinished)
    progress = [event for event in events if isinstance(event, TaskProgress)]
    assert list(dict.fromkeys(event.stage for event in progress)) == [
        "load",
        "infill",
        "encode",
        "denoise",
        "decode",
        "compose",
    ]
    steps = [event.step for event in progress if event.stage == "denoise"]
    assert steps == sorted(steps)
    assert set(steps) == {0, 1, 2, 3, 4}
    assert all(left >= 0 for event in progress if (left := event.seconds_left) is not None)
    assert set(end.timings) == {"load", "infill", "encode", "denoise", "decode", "compose"}

    (layer,) = end.layers
    alpha = np.zeros(jobs.size, np.uint8)
    top, left = layer.y - 20, layer.x - 10
    alpha[top : top + layer.picture.height, left : left + layer.picture.width] = jobs.pixels(end)[..., 3]
    rows, columns = jobs.selected
    assert alpha[rows, columns].min() == 255
    alpha[rows.start - end.reach : rows.stop + end.reach, columns.start - end.reach : columns.stop + end.reach] = 0
    assert not alpha.any(), "alpha reaches further than the result says"

    recipe = layer.recipe
    assert (said(recipe).kind, said(recipe).mode, said(recipe).seed, said(recipe).checkpoint) == (
        "fill",
        "fill",
        1,
        checkpoint,
    )
    assert (said(recipe).steps, said(recipe).sampler, said(recipe).guidance) == (4, "DDIM", 3.0)
    assert (recipe.model_width * recipe.model_height, recipe.batched) == (pytest.approx(64 * 64, rel=0.2), False)
    assert len(recipe.checkpoint_hash) == 64
    assert recipe.device == "cpu float32"
    assert set(recipe.versions) == {"paintbridge", "torch", "diffusers"}


@pytest.mark.parametrize("kind", ["refine", "generate"])
async def test_other_kinds(engine: LocalEngine, jobs: Any, kind: str) -> None:
    task = jobs.task(kind, kind=kind, strength=0.5 if kind == "refine" else 1.0)
    if kind == "generate":
        task = dataclasses.replace(
            task, submit=dataclasses.replace(task.submit, picture=None, selection=None), pictures={}
        )
    end = await jobs.finish(engine, task)
    assert jobs.pixels(end)[..., 3].max() == 255
    assert said(end.layers[0].recipe).mode == kind


async def test_same_seed_same_pixels(engine: LocalEngine, jobs: Any) -> None:
    first, again = [await jobs.finish(engine, jobs.task("same")) for _ in range(2)]
    assert first.layers == again.layers
    assert np.array_equal(jobs.pixels(first), jobs.pixels(again))
    other = await jobs.finish(engine, jobs.task("other", seed=2))
    assert not np.array_equal(jobs.pixels(first), jobs.pixels(other))


async def test_what_is_loaded_is_let_go_of_when_it_is_asked_for(engine: LocalEngine, jobs: Any) -> None:
    async def loaded() -> set[int]:
        events = await jobs.follow(engine, jobs.task("again"))
        return {event.step for event in events if isinstance(event, TaskProgress) and event.stage == "load"}

    await loaded()
    kept = await loaded()
    engine.free()
    anew = await loaded()
    # Its steps are the checkpoint's parts.
    assert len(anew) > len(kept)
    assert await loaded() == kept


async def test_a_picture_of_a_batch_is_what_its_recipe_gives_alone(engine: LocalEngine, jobs: Any) -> None:
    batch = await jobs.finish(engine, jobs.task("batch", seed=(1 << 64) - 1, batch=3))
    assert [said(layer.recipe).seed for layer in batch.layers] == [(1 << 64) - 1, 0, 1]
    for index, layer in enumerate(batch.layers):
        alone = await jobs.finish(engine, jobs.task("alone", seed=said(layer.recipe).seed))
        assert alone.layers == (layer,)
        assert np.array_equal(jobs.pixels(alone), jobs.pixels(batch, index))


async def test_previews(engine: LocalEngine, jobs: Any) -> None:
    events = await jobs.follow(engine, jobs.task("seen"))
    previews = [event for event in events if isinstance(event, TaskPreview)]
    assert previews
    assert all(len(event.data) == event.width * event.height * 3 for event in previews)
    events = await jobs.follow(engine, jobs.task("unseen", result=ResultFormat(previews=False)))
    assert not [event for event in events if isinstance(event, TaskPreview)]


async def test_depths_of_results(engine: LocalEngine, jobs: Any) -> None:
    layers = {}
    for depth, top in (("u8", 255), ("u16", 65535), ("f16", 1), ("f32", 1)):
        end = await jobs.finish(engine, jobs.task(depth, result=ResultFormat(depth)))
        layers[depth] = jobs.pixels(end).astype(np.float32) / top
    # The decoder gives more than 8 bits, and what lies beyond 0..1 survives in floats only.
    precise = np.clip(layers["f32"], 0, 1)
    assert np.abs(layers["u8"] - precise).max() <= 0.501 / 255
    # Near the top a float32 has steps of 1/256 of a 16-bit level, and rounding takes two of them.
    assert np.abs(layers["u16"] - precise).max() <= (0.5 + 2 / 256) / 65535
    assert np.abs(layers["f16"] - layers["f32"]).max() <= 2e-3
    assert len(np.unique(layers["u16"])) > len(np.unique(layers["u8"]))


async def test_depths_of_pictures(engine: LocalEngine, jobs: Any) -> None:
    """The same picture in any depth gives the same layer."""
    expected = await jobs.finish(engine, jobs.task("u8"))
    task = jobs.task("any")
    described, selected = task.submit.picture, task.submit.selection
    assert described is not None
    assert selected is not None
    noise = np.frombuffer(task.pictures[described.hash], np.uint8).astype(np.float64)
    coverage = np.frombuffer(task.pictures[selected.hash], np.uint8).astype(np.float64)
    for depth, dtype, scale in (("u16", "<u2", 257), ("f32", "<f4", 1 / 255)):
        pictures = [(values * scale).astype(dtype).tobytes() for values in (noise, coverage)]
        size = {"width": described.width, "height": described.height, "depth": depth}
        picture, selection = describe(pictures[0], channels=4, **size), describe(pictures[1], channels=1, **size)
        submit = dataclasses.replace(task.submit, picture=picture, selection=selection)
        data = {picture.hash: pictures[0], selection.hash: pictures[1]}
        found = await jobs.finish(engine, dataclasses.replace(task, submit=submit, pictures=data))
        assert np.array_equal(jobs.pixels(found), jobs.pixels(expected)), depth


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("checkpoint_unknown", {"checkpoint": "nowhere"}),
        ("unsupported_sampler", {"sampler": "Euler's own"}),
        ("unsupported_mode", {"kind": "refine", "mode": "expand"}),
        ("out_of_range", {"result": ResultFormat("f16", "png")}),
        ("out_of_range", {"result": ResultFormat("u16", "webp")}),
        ("bad_context", {"canvas": Extent(90, 90)}),
        ("picture_mismatch", {"context": Rect(0, 0, 95, 80)}),
        ("picture_mismatch", {"picture": None}),
        ("missing_field", {"seed": None}),
    ],
)
async def test_refused(engine: LocalEngine, jobs: Any, code: str, changes: dict[str, Any]) -> None:
    await refuses(engine, jobs, jobs.task("refused", **changes), code)


async def refuses(engine: LocalEngine, jobs: Any, task: Task, code: str) -> BridgeError:
    (end,) = await jobs.follow(engine, task)
    assert isinstance(end, TaskFailed)
    assert end.error.code == code, end.error
    assert len(end.error.message) > 20
    assert end.error.hint
    return end.error


def with_selection(task: Task, coverage: np.ndarray, depth: str = "u8") -> Task:
    height, width = coverage.shape
    selection = describe(coverage.tobytes(), width=width, height=height, channels=1, depth=depth)
    submit = dataclasses.replace(task.submit, selection=selection)
    return dataclasses.replace(task, submit=submit, pictures={**task.pictures, selection.hash: coverage.tobytes()})


async def test_empty_selection_is_told_before_any_checkpoint_is_looked_for(engine: LocalEngine, jobs: Any) -> None:
    task = with_selection(jobs.task("empty", checkpoint="nowhere"), np.zeros(jobs.size, np.uint8))
    await refuses(engine, jobs, task, "empty_selection")


async def test_coverage_out_of_range(engine: LocalEngine, jobs: Any) -> None:
    task = with_selection(jobs.task("coverage"), np.full(jobs.size, 1.5, np.float32), "f32")
    error = await refuses(engine, jobs, task, "picture_mismatch")
    assert "1.5" in error.message
    # What other languages need has come out of the worker, too.
    assert "{high}" in error.message.template
    assert error.values["high"] == "1.5"


async def test_not_a_number(engine: LocalEngine, jobs: Any) -> None:
    task = with_selection(jobs.task("nan"), np.full(jobs.size, np.nan, np.float32), "f32")
    await refuses(engine, jobs, task, "picture_unreadable")


async def test_conditions_are_refused(engine: LocalEngine, jobs: Any) -> None:
    task = jobs.task("guided")
    assert task.submit.picture is not None
    submit = with_settings(task.submit, conditions=(Condition("scribble", task.submit.picture),))
    await refuses(engine, jobs, dataclasses.replace(task, submit=submit), "unsupported_condition")


async def test_a_picture_that_did_not_come(engine: LocalEngine, jobs: Any) -> None:
    await refuses(engine, jobs, dataclasses.replace(jobs.task("bare"), pictures={}), "picture_unknown")


async def test_the_unforeseen_goes_to_the_log_alone(
    engine: LocalEngine, jobs: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "bridge"):
        error = await refuses(engine, jobs, jobs.task("odd", seed="many"), "internal")
    assert "TypeError" in caplog.text
    assert "Traceback" in caplog.text
    assert "Type" not in error.message + error.hint
    await jobs.finish(engine, jobs.task("next"))


async def test_a_task_id_is_used_once_at_a_time(engine: LocalEngine, jobs: Any) -> None:
    stream = engine.submit(jobs.task("twice"))
    with pytest.raises(BridgeError, match="job_exists"):
        engine.submit(jobs.task("twice"))
    assert [event async for event in stream]
    await jobs.finish(engine, jobs.task("twice"))


async def test_pictures_leave_shared_memory_with_the_job(engine: LocalEngine, jobs: Any) -> None:
    assert jobs.segments(engine) == []
