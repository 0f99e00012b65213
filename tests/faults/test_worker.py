"""A worker that is killed, frozen, starved, or given a damaged checkpoint: its job ends typed, others are well."""

from __future__ import annotations

import signal

import pytest
from whole_bridge import PATIENCE, BridgeProcess, Scene, Watch

from bridge.client import Bridge
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Progress

SCENE = Scene.of(96, 80, (30, 20, 30, 30))
# The first and the last: a new worker takes seconds. One is killed in the middle in tests/e2e/test_robust.py.
STAGES = ("load", "compose")


def refusal(bridge: Bridge, scene: Scene = SCENE, **fields: object) -> BridgeError:
    with pytest.raises(BridgeError) as refused:
        scene.submit(bridge, **fields).result(PATIENCE)
    return refused.value


def test_a_worker_that_is_killed_at_any_stage_costs_one_job(faulty: BridgeProcess) -> None:
    with faulty.connect() as bridge, faulty.connect() as other:
        before = SCENE.submit(bridge, prompt="a tree").result(PATIENCE).layers[0]
        for stage in STAGES:
            lost = SCENE.submit(bridge, prompt=f"kill {stage}")
            waiting = SCENE.submit(other, prompt="a tree")
            with pytest.raises(BridgeError) as failed:
                lost.result(PATIENCE)
            assert failed.value.code == "worker_crashed", stage
            after = waiting.result(PATIENCE).layers[0]
            assert after.picture.hash == before.picture.hash, "a new worker paints the same"


@pytest.mark.parametrize("stage", ["load", "encode", "denoise", "decode"])
def test_memory_that_runs_out_is_told_and_the_worker_goes_on(faulty: BridgeProcess, stage: str) -> None:
    with faulty.connect() as bridge:
        before = SCENE.submit(bridge, prompt="a tree").result(PATIENCE).layers[0]
        worker = faulty.worker()
        # What is loaded, and what is encoded, would not be loaded and encoded again.
        elsewhere = Scene.of(96, 80, (20, 30, 30, 30)) if stage == "encode" else SCENE
        checkpoint = "other" if stage == "load" else None
        told = refusal(bridge, elsewhere, prompt=f"starve {stage}", checkpoint=checkpoint)
        assert told.code == "out_of_memory"
        assert told.hint
        after = SCENE.submit(bridge, prompt="a tree").result(PATIENCE).layers[0]
        assert after.picture.hash == before.picture.hash
        assert faulty.worker() == worker


@pytest.mark.parametrize(
    ("checkpoint", "code"),
    [
        ("truncated", "checkpoint_unreadable"),
        ("nan", "model_not_finite"),
        ("misshapen", "checkpoint_unreadable"),
    ],
)
def test_a_damaged_checkpoint_is_told_and_the_next_job_is_well(
    faulty: BridgeProcess, checkpoint: str, code: str
) -> None:
    with faulty.connect() as bridge:
        told = refusal(bridge, checkpoint=checkpoint, prompt="a tree")
        assert told.code == code
        assert checkpoint in told.message
        assert SCENE.submit(bridge, prompt="a tree").result(PATIENCE).layers


def test_a_worker_that_stands_still_for_a_moment_goes_on_with_its_job(faulty: BridgeProcess) -> None:
    with faulty.connect() as bridge:
        watch = Watch()
        job = SCENE.submit(bridge, on_event=watch, prompt="a tree", steps=40)
        watch.wait_for_step(2)
        worker = faulty.worker()
        worker.send_signal(signal.SIGSTOP)
        # The bridge lives on meanwhile: it answers.
        assert SCENE.submit(bridge, prompt="a bird") is not None
        bridge.plan(canvas=SCENE.canvas, selection=SCENE.bounds, timeout=PATIENCE)
        worker.send_signal(signal.SIGCONT)
        assert job.result(PATIENCE).layers
        assert faulty.worker() == worker
        steps = [event.step for event in watch.events if isinstance(event, Progress) and event.stage == "denoise"]
        assert steps == list(range(41))
