"""What can go wrong in mid-job: cancel, a cut connection, a killed worker. Nobody else's job is touched."""

from __future__ import annotations

import pytest
from cuttable_wire import cuttable
from whole_bridge import PATIENCE, BridgeProcess, Scene, Watch

from bridge.client import Bridge, JobCancelled
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Progress, Queued, Result, Started

SCENE = Scene.of(320, 240, (120, 90, 70, 60))
LONG = {"checkpoint": "slow", "steps": 400, "prompt": "a rock"}


def test_cancel_takes_effect_within_a_step_and_touches_nobody_else(bridge_process: BridgeProcess) -> None:
    with bridge_process.connect() as one, bridge_process.connect() as other:
        cancelled, waiting = Watch(), Watch()
        first = SCENE.submit(one, on_event=cancelled, **LONG)
        cancelled.wait(lambda event: isinstance(event, Started))
        second = SCENE.submit(other, on_event=waiting, prompt="a tree")
        waiting.wait(lambda event: isinstance(event, Queued))
        cancelled.wait_for_step(3)
        told = cancelled.steps[-1]
        first.cancel()
        with pytest.raises(JobCancelled):
            first.result(PATIENCE)
        assert cancelled.steps[-1] < 400
        assert cancelled.steps == sorted(set(cancelled.steps))
        assert told >= 3
        assert second.result(PATIENCE).layers


def test_a_waiting_job_is_cancelled_without_a_step(bridge: Bridge) -> None:
    running, waiting = Watch(), Watch()
    first = SCENE.submit(bridge, on_event=running, **LONG)
    running.wait_for_step(1)
    second = SCENE.submit(bridge, on_event=waiting, prompt="a tree")
    waiting.wait(lambda event: isinstance(event, Queued))
    second.cancel()
    with pytest.raises(JobCancelled):
        second.result(PATIENCE)
    assert not waiting.steps
    first.cancel()
    with pytest.raises(JobCancelled):
        first.result(PATIENCE)


def test_a_killed_worker_fails_its_job_and_loses_nobody_elses(bridge_process: BridgeProcess) -> None:
    with bridge_process.connect() as one, bridge_process.connect() as other:
        running, waiting = Watch(), Watch()
        first = SCENE.submit(one, on_event=running, **LONG)
        running.wait_for_step(1)
        second = SCENE.submit(other, on_event=waiting, prompt="a tree")
        waiting.wait(lambda event: isinstance(event, Queued))
        bridge_process.worker().kill()
        with pytest.raises(BridgeError) as failed:
            first.result(PATIENCE)
        assert failed.value.code == "worker_crashed"
        assert "Memory may have run out" in failed.value.hint
        assert second.result(PATIENCE).layers
        assert SCENE.submit(one, prompt="a bird").result(PATIENCE).layers


def test_a_cut_connection_resumes_and_delivers_every_event_once(bridge_process: BridgeProcess) -> None:
    with cuttable(bridge_process) as wire, bridge_process.connect(wire.address) as bridge:
        watch = Watch()
        job = SCENE.submit(bridge, on_event=watch, checkpoint="slow", steps=60, prompt="a rock")
        for step in (2, 10, 30):
            watch.wait_for_step(step)
            wire.cut()
        assert job.result(PATIENCE).layers
        numbers = [event.event for event in watch.events if hasattr(event, "event")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert watch.steps == list(range(61))
        assert sum(isinstance(event, Result) for event in watch.events) == 1
        assert wire.cuts >= 3


def test_a_job_that_dies_with_its_socket_stops(bridge_process: BridgeProcess) -> None:
    with bridge_process.connect() as other, cuttable(bridge_process) as wire:
        bridge = bridge_process.connect(wire.address)
        watch = Watch()
        SCENE.submit(bridge, on_event=watch, on_disconnect="cancel", **LONG)
        watch.wait_for_step(2)
        after = SCENE.submit(other, prompt="a tree")
        wire.close()
        # It ran behind the long job: it can only end soon if that one was stopped.
        assert after.result(PATIENCE).layers
        assert watch.steps[-1] < 400
        bridge.close()


def test_progress_says_how_long_it_will_take(bridge: Bridge) -> None:
    watch = Watch()
    SCENE.submit(bridge, on_event=watch, checkpoint="slow", steps=12, prompt="a rock").result(PATIENCE)
    estimates = [event.seconds_left for event in watch.events if isinstance(event, Progress)]
    assert any(estimate is not None for estimate in estimates)
    stages = list(dict.fromkeys(event.stage for event in watch.events if isinstance(event, Progress)))
    assert stages == ["load", "infill", "encode", "denoise", "decode", "compose"]
