"""The client against the bridge's own server, with a small engine behind it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from job_forms import said
from threaded_bridge import Running

from bridge.client import Address, Bridge, Job, JobCancelled, Pixels, discover
from bridge.protocol import messages as m
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import CHUNK_BYTES, Extent, Rect

SIDE = 720
CANVAS, CONTEXT = Extent(SIDE, SIDE), Rect(0, 0, SIDE, SIDE)
PIXELS = Pixels(bytes(SIDE * SIDE * 4), SIDE, SIDE, 4)
MASK = Pixels(bytes([255]) * (SIDE * SIDE), SIDE, SIDE, 1)


def job_of(bridge: Bridge, **fields: Any) -> Job:
    return bridge.submit(kind="fill", canvas=CANVAS, context=CONTEXT, picture=PIXELS, selection=MASK, **fields)


def test_a_job_from_discovery_to_pixels(running):
    device = threading.Event()
    with Bridge(client="test", on_device=lambda _: device.set()) as bridge:
        assert bridge.device is not None or device.wait(10)
        planned = bridge.plan(canvas=Extent(4000, 3000), selection=Rect(100, 100, 200, 200), kind="fill")
        assert planned.context.width >= 200
        job = job_of(bridge, batch=3, seed=4)
        kinds = [type(event).__name__ for event in job.events()]
        layers = job.result().layers
    assert kinds[0] == "Queued"
    assert kinds[-1] == "Result"
    assert [len(layer.data) for layer in layers] == [SIDE * SIDE * 4] * 3
    assert len(PIXELS.data) > CHUNK_BYTES
    assert len({layer.picture.hash for layer in layers}) == 3
    assert [said(layer.recipe).seed for layer in layers] == [4, 5, 6]


def test_what_was_acknowledged_is_freed(running):
    with Bridge() as bridge:
        job = job_of(bridge, seed=1)
        layer = job.result().layers[0]
        bridge.plan(canvas=CANVAS, selection=CONTEXT)  # answered after the acknowledgement was dealt with
        (session,) = running.server.service._sessions.values()
        assert session.results.get(layer.picture.hash) is None


def test_refusals_reach_the_caller(running):
    with Bridge() as bridge:
        with pytest.raises(BridgeError) as caught:
            job_of(bridge, checkpoint="nobody's").result(10)
        assert caught.value.code == "checkpoint_unknown"
        with pytest.raises(BridgeError) as caught:
            bridge.plan(canvas=CANVAS, selection=CONTEXT, checkpoint="nobody's")
        assert caught.value.code == "checkpoint_unknown"
        with pytest.raises(BridgeError) as caught:
            job_of(bridge, prompt="fail").result(10)
        assert caught.value.code == "out_of_memory"


def test_cancel_in_mid_job(running):
    running.gate(is_open=False)
    with Bridge() as bridge:
        first, second = job_of(bridge, seed=1), job_of(bridge, seed=2)
        next(event for event in first.events() if isinstance(event, m.Started))
        first.cancel()
        with pytest.raises(JobCancelled):
            first.result(10)
        running.gate(is_open=True)
        assert second.result(10).layers


def test_a_cut_in_mid_job_is_resumed(running):
    running.gate(is_open=False)
    states: list[str] = []
    interrupted = threading.Event()

    def on_connection(state: str, error: Exception | None) -> None:
        states.append(state)
        if state == "interrupted":
            interrupted.set()

    numbers: list[int] = []
    with Bridge(on_connection=on_connection) as bridge:
        job = job_of(bridge, seed=1, on_event=lambda e: None if isinstance(e, m.Preview) else numbers.append(e.event))
        next(event for event in job.events() if isinstance(event, m.Started))
        asyncio.run_coroutine_threadsafe(cut(bridge), bridge._loop).result(10)
        assert interrupted.wait(10)
        running.gate(is_open=True)
        assert job.result(10).layers
    assert states == ["open", "interrupted", "open", "closed"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 4


async def cut(bridge: Bridge) -> None:
    """Pull the cable on the client's side."""
    socket = bridge._jobs.connection._socket
    assert socket is not None
    socket.transport.abort()


def test_a_restart_loses_the_jobs_and_nothing_else(home):
    first = Running(home)
    first.gate(is_open=False)
    try:
        with Bridge() as bridge:
            job = job_of(bridge)
            next(event for event in job.events() if isinstance(event, m.Started))
            first.stop()
            second = Running(home)
            try:
                with pytest.raises((BridgeError, JobCancelled)) as caught:
                    job.result(20)
                assert getattr(caught.value, "code", "cancelled") in ("session_unknown", "shutting_down", "cancelled")
                assert job_of(bridge).result(20).layers
            finally:
                second.stop()
    finally:
        first.stop()


def test_a_wrong_token(running):
    address = discover()
    with pytest.raises(BridgeError) as caught:
        Bridge(Address(address.url, "guessed"))
    assert caught.value.code == "unauthorized"
