"""Connections that break at awkward moments, and bridges that are started anew."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from cut_jobs import CANVAS, CONTEXT, PAINTED, SIDE, WHOLE_LIFE, Moment, job_of, once

from bridge.client import Bridge, Job, JobCancelled
from bridge.client.job import JobUpdate
from bridge.protocol import messages as m
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import CHUNK_BYTES


class NthFrame:
    """Cut at one frame of all that pass, in either direction."""

    def __init__(self, number: int, moment: str) -> None:
        self.number, self.moment, self.passed = number, moment, -1

    def __call__(self, *_: object) -> str | None:
        self.passed += 1
        return self.moment if self.passed == self.number else None


def live_one_job(tiny: Any, cut: Moment) -> list[str]:
    """One job over a connection that is cut by ``cut`` once it is open. Returns its events."""
    events: list[str] = []

    def on_event(update: JobUpdate) -> None:
        if not isinstance(update, m.Preview):
            events.append(type(update).__name__)

    device = threading.Event()
    with Bridge(tiny.address(), on_device=lambda _: device.set()) as bridge:
        assert device.wait(10)
        tiny.cut = cut
        result = job_of(bridge, on_event=on_event).result(30)
        tiny.cut = lambda *_: None
        assert bytes(result.layers[0].data) == PAINTED
    return events


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_cut_at_any_frame_of_a_jobs_life_loses_nothing(tiny, moment):
    counter = NthFrame(-1, moment)
    assert live_one_job(tiny, counter) == WHOLE_LIFE
    frames = counter.passed
    assert frames > 15
    came_back = 0
    for number in range(frames):
        tiny.sessions.clear()
        before = tiny.connections
        assert live_one_job(tiny, NthFrame(number, moment)) == WHOLE_LIFE, number
        came_back += tiny.connections - before - 1
    # The client may have left before the very last ones.
    assert came_back >= frames - 2


def test_a_connection_that_breaks_again_and_again(tiny):
    chance = random.Random(11)
    before = tiny.connections

    def cut(*_: object) -> str | None:
        return chance.choice(["before", "after"]) if chance.random() < 0.1 else None

    for _ in range(8):
        tiny.sessions.clear()
        assert live_one_job(tiny, cut) == WHOLE_LIFE
    assert tiny.connections > before + 16


def test_many_jobs_over_a_broken_connection(tiny):
    events: dict[str, list[int]] = {}

    def on_event(update: JobUpdate) -> None:
        if not isinstance(update, m.Preview):
            events.setdefault(update.job, []).append(update.event)

    with Bridge(tiny.address()) as bridge:
        chance = random.Random(4)
        tiny.cut = lambda *_: "after" if chance.random() < 0.03 else None
        jobs = [job_of(bridge, seed=seed, on_event=on_event) for seed in range(6)]
        results = [bytes(job.result(30).layers[0].data) for job in jobs]
        tiny.cut = lambda *_: None
    assert results == [random.Random(seed).randbytes(SIDE * SIDE * 4) for seed in range(6)]
    numbers = sorted(number for of_job in events.values() for number in of_job)
    assert numbers == list(range(1, 6 * len(WHOLE_LIFE) + 1))
    assert all(of_job == sorted(of_job) for of_job in events.values())


def test_hosts_are_told_of_the_connection(tiny):
    states: list[str] = []
    again = threading.Event()

    def on_connection(state: str, error: Exception | None) -> None:
        states.append(state)
        if states.count("open") == 2:
            again.set()

    with Bridge(tiny.address(), on_connection=on_connection):
        tiny.disconnect()
        assert again.wait(10)
    assert states == ["open", "interrupted", "open", "closed"]


def test_a_plan_asked_over_a_cut_is_answered(tiny):
    for moment in ("before", "after"):
        tiny.cut = once("in", m.Plan, moment)
        with Bridge(tiny.address()) as bridge:
            assert bridge.plan(canvas=CANVAS, selection=CONTEXT, timeout=10).context == CONTEXT


def test_cancel_while_there_is_no_connection(tiny):
    tiny.close_gate()
    with Bridge(tiny.address()) as bridge:
        job = job_of(bridge)
        next(e for e in job.events() if isinstance(e, m.Started))
        tiny.stop()
        job.cancel()
        tiny.start()
        with pytest.raises(JobCancelled):
            job.result(10)


def test_cancel_of_a_job_that_was_lost_on_its_way(tiny):
    jobs: list[Job] = []
    tiny.cut = once("in", m.Submit, "before", then=lambda: [job.cancel() for job in jobs])
    with Bridge(tiny.address()) as bridge:
        jobs.append(job_of(bridge))
        with pytest.raises(JobCancelled):
            jobs[0].result(10)
        assert job_of(bridge).result(10).layers
    assert len(tiny.messages(m.Submit)) == 2


@pytest.mark.parametrize(
    "frame", [b"\xc1", "text", b"\x82\xa4type\xa7started\xa3job\xa1x"], ids=["junk", "text", "missing field"]
)
def test_a_bridge_that_breaks_the_protocol_is_left(tiny, frame):
    tiny.close_gate()
    with Bridge(tiny.address()) as bridge:
        job = job_of(bridge)
        next(e for e in job.events() if isinstance(e, m.Started))
        (session,) = tiny.sessions.values()
        tiny.run(session.socket.send(frame))
        with pytest.raises(BridgeError) as caught:
            job.result(10)
    assert caught.value.code in ("bad_frame", "missing_field")


def test_chunks_are_what_the_frames_allow():
    assert SIDE * SIDE * 4 > CHUNK_BYTES
