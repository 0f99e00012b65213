"""One call a picture, on a thread and on an event loop, against a tiny bridge."""

from __future__ import annotations

import _thread
import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest
from job_forms import said
from tiny_bridge import TinyBridge

from bridge.client import AsyncBridge, Bridge, ConditionPixels, ContextChoice, Progress, RegionPixels
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Cancel, Condition, Plan, Rect, Region, Submit

PICTURE = np.random.default_rng(1).integers(0, 256, (24, 32, 3), np.uint8)
MASK = np.zeros((24, 32), bool)
MASK[4:14, 6:26] = True
BOUNDS = Rect(6, 4, 20, 10)
PATIENCE = 30.0


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def sent(tiny: TinyBridge) -> tuple[Plan, Submit]:
    (plan,), (submit,) = tiny.messages(Plan), tiny.messages(Submit)
    return plan, submit


def test_what_is_asked_goes_where_it_belongs(tiny: TinyBridge) -> None:
    choice = ContextChoice("canvas")
    with Bridge(tiny.address()) as client:
        result = client.fill(PICTURE, MASK, prompt="a berry", mode="add", grow=3.0, seed=5, strict=True, context=choice)
    plan, submit = sent(tiny)
    assert (plan.selection, said(plan).mode, said(plan).grow, plan.context) == (BOUNDS, "add", 3.0, choice)
    assert (said(submit).prompt, said(submit).mode, said(submit).grow, said(submit).seed, said(submit).strict) == (
        "a berry",
        "add",
        3.0,
        5,
        True,
    )
    assert (submit.context, submit.on_disconnect) == (BOUNDS, "cancel")
    (held,) = tiny.sessions.values()
    assert submit.picture is not None
    assert submit.selection is not None
    cut = PICTURE[4:14, 6:26]
    assert bytes(held.pictures[submit.picture.hash]) == cut.tobytes()
    assert bytes(held.pictures[submit.selection.hash]) == b"\xff" * 200
    assert np.asarray(result.layers[0]).shape == (10, 20, 4)


def test_layers_are_wanted_in_the_pictures_own_depth(tiny: TinyBridge) -> None:
    tiny.close_gate()
    with Bridge(tiny.address()) as client:
        for image in (PICTURE, PICTURE.astype(np.float32) / 255, PICTURE.astype(np.uint16) * 257):
            client.start("fill", image, MASK)
        wait_until(lambda: len(tiny.messages(Submit)) == 3)
    assert [submit.result.depth for submit in tiny.messages(Submit)] == ["u8", "f32", "u16"]


def test_progress_is_told_and_nothing_else(tiny: TinyBridge) -> None:
    heard: list[object] = []
    with Bridge(tiny.address()) as client:
        client.fill(PICTURE, MASK, steps=3, on_progress=heard.append)
    assert [(event.stage, event.step) for event in heard if isinstance(event, Progress)] == [
        ("denoise", 1), ("denoise", 2), ("denoise", 3),
    ]  # fmt: skip
    assert len(heard) == 3


def test_a_typo_is_no_option(tiny: TinyBridge) -> None:
    with (
        Bridge(tiny.address()) as client,
        pytest.raises(TypeError, match="no option 'promt'; there are kind, mode"),
    ):
        client.fill(PICTURE, MASK, promt="a berry")  # type: ignore[call-arg]
    assert not tiny.messages(Plan)


def test_an_empty_mask_is_told_without_asking(tiny: TinyBridge) -> None:
    with Bridge(tiny.address()) as client, pytest.raises(BridgeError) as refused:
        client.fill(PICTURE, np.zeros_like(MASK))
    assert refused.value.code == "empty_selection"
    assert not tiny.messages(Plan)


def test_a_timeout_cancels_the_job(tiny: TinyBridge) -> None:
    tiny.close_gate()
    with Bridge(tiny.address()) as client:
        with pytest.raises(TimeoutError, match=r"within 0\.5 seconds"):
            client.fill(PICTURE, MASK, timeout=0.5)
        wait_until(lambda: tiny.messages(Cancel))


def test_ctrl_c_cancels_the_job(tiny: TinyBridge) -> None:
    tiny.close_gate()

    def press(_side: str, message: object) -> None:
        if isinstance(message, Submit):
            _thread.interrupt_main()

    tiny.cut = press
    with Bridge(tiny.address()) as client:
        with pytest.raises(KeyboardInterrupt):
            client.fill(PICTURE, MASK)
        wait_until(lambda: tiny.messages(Cancel))


async def test_on_a_loop_jobs_run_side_by_side(tiny: TinyBridge) -> None:
    heard: list[threading.Thread] = []
    async with AsyncBridge(tiny.address()) as client:
        assert client.bridge.welcome.bridge == "tiny"
        results = await asyncio.gather(
            client.fill(PICTURE, MASK, on_progress=lambda _: heard.append(threading.current_thread())),
            client.fill(PICTURE, MASK, seed=9),
        )
    assert [len(result.layers) for result in results] == [1, 1]
    assert set(heard) == {threading.main_thread()}
    with pytest.raises(RuntimeError, match="async with"):
        _ = client.bridge


async def test_a_cancelled_task_cancels_its_job(tiny: TinyBridge) -> None:
    tiny.close_gate()
    async with AsyncBridge(tiny.address()) as client:
        task = asyncio.create_task(client.fill(PICTURE, MASK))
        await asyncio.to_thread(wait_until, lambda: tiny.messages(Submit))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(wait_until, lambda: tiny.messages(Cancel))


async def test_on_a_loop_a_failure_is_raised_where_it_is_awaited(tiny: TinyBridge) -> None:
    async with AsyncBridge(tiny.address()) as client:
        with pytest.raises(BridgeError, match=r"No room\. Less\."):
            await client.fill(PICTURE, MASK, prompt="fail")


def test_conditions_are_cut_to_the_context_as_the_picture_is(tiny: TinyBridge) -> None:
    drawing = np.random.default_rng(2).integers(0, 256, (24, 32, 3), np.uint8)
    condition = ConditionPixels("scribble", drawing, MASK, strength=0.5)
    with Bridge(tiny.address()) as client:
        client.fill(PICTURE, MASK, conditions=[condition])
        with pytest.raises(BridgeError) as refused:
            client.fill(PICTURE, MASK, conditions=[ConditionPixels("scribble", drawing[:8])])
    assert refused.value.code == "picture_mismatch"
    (sent_condition,) = said(sent(tiny)[1]).conditions
    assert (sent_condition.kind, sent_condition.strength, sent_condition.end) == ("scribble", 0.5, 1.0)
    (held,) = tiny.sessions.values()
    assert bytes(held.pictures[sent_condition.picture.hash]) == drawing[4:14, 6:26].tobytes()
    assert bytes(held.pictures[sent_condition.mask.hash]) == b"\xff" * 200


@pytest.mark.parametrize(("held", "travels"), [(ConditionPixels, Condition), (RegionPixels, Region)])
def test_what_a_client_holds_of_a_guide_is_what_travels(held: type, travels: type) -> None:
    ours, theirs = ({entry.name: entry.default for entry in fields(cls)} for cls in (held, travels))
    assert ours == theirs


def test_masks_of_regions_are_cut_to_the_context_as_the_picture_is(tiny: TinyBridge) -> None:
    with Bridge(tiny.address()) as client:
        client.fill(PICTURE, MASK, regions=[RegionPixels("snow", MASK, "rain")])
        with pytest.raises(BridgeError) as refused:
            client.fill(PICTURE, MASK, regions=[RegionPixels("snow", MASK[:8])])
    assert refused.value.code == "picture_mismatch"
    (region,) = said(sent(tiny)[1]).regions
    assert (region.prompt, region.negative_prompt) == ("snow", "rain")
    (held,) = tiny.sessions.values()
    assert bytes(held.pictures[region.mask.hash]) == b"\xff" * 200
