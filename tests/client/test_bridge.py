"""The client against a tiny bridge, over real sockets: one job's life, and what a host may do meanwhile."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from job_forms import said

from bridge.client import Bridge, BridgeClosed, ConditionPixels, Job, JobCancelled, Pixels
from bridge.protocol import messages as m
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import CHUNK_BYTES, Extent, Rect

CANVAS = Extent(640, 480)
CONTEXT = Rect(10, 20, 32, 16)
PIXELS = Pixels(bytes(range(256)) * 6, 32, 16, 3)
MASK = Pixels(bytes([7]) * 512, 32, 16, 1)


def job_of(bridge: Bridge, **fields: Any) -> Job:
    fields = {"kind": "fill", "canvas": CANVAS, "context": CONTEXT, "seed": 5, "steps": 2, **fields}
    return bridge.submit(picture=fields.pop("picture", PIXELS), selection=MASK, **fields)


def kinds(job: Job) -> list[str]:
    return [type(update).__name__ for update in job.events()]


def test_one_job_from_plan_to_pixels(tiny):
    with Bridge(tiny.address(), client="test 1") as bridge:
        planned = bridge.plan(canvas=CANVAS, selection=CONTEXT, mode="auto")
        assert (planned.context, planned.reach) == (CONTEXT, 12)
        job = job_of(bridge, prompt="a wren", context=planned.context)
        updates = list(job.events())
        result = job.result()
    assert [type(u).__name__ for u in updates if not isinstance(u, m.Preview)] == [
        "Queued", "Started", "Progress", "Progress", "Result",
    ]  # fmt: skip
    submit = tiny.messages(m.Submit)[0]
    assert (said(submit).prompt, submit.picture.width, submit.selection.channels) == ("a wren", 32, 1)
    (layer,) = result.layers
    assert (layer.x, layer.y, layer.picture.channels) == (10, 20, 4)
    assert bytes(layer.data) == random.Random(5).randbytes(32 * 16 * 4)
    assert (result.reach, result.timings, result.hints) == (3, {"denoise": 0.5}, ("a hint",))
    assert said(layer.recipe).seed == 5
    assert tiny.messages(m.Hello)[0].client == "test 1"


def test_pictures_that_the_bridge_holds_are_not_sent_again(tiny):
    with Bridge(tiny.address()) as bridge:
        jobs = [job_of(bridge, seed=seed) for seed in range(3)]
        layers = [job.result().layers[0] for job in jobs]
    assert [bytes(layer.data) for layer in layers] == [random.Random(s).randbytes(2048) for s in range(3)]
    assert len(tiny.messages(m.Put)) == 2
    assert len(tiny.messages(m.Offer)) == 3


def test_events_are_acknowledged_when_their_pictures_are_here(tiny):
    sent: list[tuple[str, m.Message]] = []
    tiny.cut = lambda direction, message: sent.append((direction, message))
    with Bridge(tiny.address()) as bridge:
        job_of(bridge).result()
        bridge.plan(canvas=CANVAS, selection=CONTEXT)  # comes after the last acknowledgement
    flow = [message for _, message in sent]
    result = next(message for message in flow if isinstance(message, m.Result))
    acks = [index for index, message in enumerate(flow) if message == m.Ack(result.event)]
    last_put = max(index for index, message in enumerate(flow) if isinstance(message, m.Put))
    assert len(acks) == 1
    assert acks[0] > last_put
    assert [a.event for a in flow if isinstance(a, m.Ack)] == sorted({a.event for a in flow if isinstance(a, m.Ack)})
    assert next(iter(tiny.sessions.values())).results == {}


def test_large_pictures_go_in_chunks_and_come_back_whole(tiny):
    noise = random.Random(3).randbytes(3 * CHUNK_BYTES + 4096)
    width = len(noise) // 4 // 64
    with Bridge(tiny.address()) as bridge:
        job = job_of(bridge, picture=Pixels(noise, width, 64, 4), context=Rect(0, 0, width, 64))
        data = job.result().layers[0].data
    assert bytes(data) == random.Random(5).randbytes(width * 64 * 4)
    whole = [put for put in tiny.messages(m.Put) if len(put.data) == CHUNK_BYTES]
    assert len(whole) == 3
    assert bytes(next(iter(tiny.sessions.values())).pictures[whole[0].hash]) == noise


def test_callbacks_come_on_the_clients_thread_and_may_submit_but_not_wait(tiny):
    calls: list[tuple[str, threading.Thread]] = []
    second: list[Job] = []
    refused = threading.Event()

    def on_event(update: object) -> None:
        calls.append((type(update).__name__, threading.current_thread()))

    def on_done(job: Job) -> None:
        assert job.result().layers  # has ended: no waiting
        second.append(job_of(bridge, seed=9))
        try:
            second[0].result()
        except RuntimeError:
            refused.set()

    with Bridge(tiny.address()) as bridge:
        job_of(bridge, on_event=on_event, on_done=on_done).result()
        assert refused.wait(10)
        second[0].result()
    assert calls[0][0] == "Queued"
    assert calls[-1][0] == "Result"
    assert len({thread for _, thread in calls}) == 1
    assert calls[0][1] is not threading.current_thread()


def test_a_callback_that_fails_hurts_nobody(tiny, caplog):
    def fail(update: object) -> None:
        raise ValueError("the host's fault")

    with Bridge(tiny.address(), on_connection=fail, on_device=fail) as bridge:
        assert job_of(bridge, on_event=fail, on_done=fail).result().layers
    assert "the host's fault" in caplog.text


def test_the_device_arrives_later_than_the_welcome(tiny):
    known = threading.Event()
    with Bridge(tiny.address(), on_device=lambda _: known.set()) as bridge:
        assert bridge.welcome.device is None
        assert known.wait(10)
        assert bridge.device == m.DeviceInfo("cpu", "tiny", "float32", 0)


def test_a_reader_that_lags_gets_the_latest_preview_only(tiny):
    with Bridge(tiny.address()) as bridge:
        job = job_of(bridge, steps=5)
        job.result()
        previews = [update for update in job.events() if isinstance(update, m.Preview)]
    assert [preview.step for preview in previews] == [5]


def test_a_job_that_fails_at_the_bridge(tiny):
    with Bridge(tiny.address()) as bridge:
        job = job_of(bridge, prompt="fail")
        assert kinds(job)[-1] == "Failed"
        with pytest.raises(BridgeError, match="No room") as caught:
            job.result()
    assert (caught.value.code, caught.value.hint) == ("out_of_memory", "Less.")


def test_conditions_travel_with_their_pictures(tiny):
    with Bridge(tiny.address()) as bridge:
        condition = ConditionPixels("scribble", PIXELS, MASK, 0.5, 0.1, 0.9)
        job_of(bridge, conditions=[condition], picture=None).result()
    (sent,) = said(tiny.messages(m.Submit)[0]).conditions
    assert (sent.kind, sent.strength, sent.start, sent.end) == ("scribble", 0.5, 0.1, 0.9)
    assert sent.picture.hash in next(iter(tiny.sessions.values())).pictures
    assert sent.mask is not None


def test_arrays_of_any_shape_are_bytes_to_the_client(tiny):
    np = pytest.importorskip("numpy")
    array = np.arange(32 * 16 * 3, dtype=np.uint16).reshape(16, 32, 3)
    with Bridge(tiny.address()) as bridge:
        job_of(bridge, picture=Pixels(memoryview(array), 32, 16, 3, "u16")).result()
        with pytest.raises(TypeError):
            job_of(bridge, picture=Pixels(memoryview(array[:, ::2]), 16, 16, 3, "u16"))
    submit = tiny.messages(m.Submit)[0]
    assert bytes(next(iter(tiny.sessions.values())).pictures[submit.picture.hash]) == array.tobytes()


def test_cancel_in_mid_job_touches_no_other(tiny):
    tiny.close_gate()
    with Bridge(tiny.address()) as bridge:
        first, second = job_of(bridge, seed=1), job_of(bridge, seed=2)
        next(e for e in first.events() if isinstance(e, m.Started))
        first.cancel()
        with pytest.raises(JobCancelled):
            first.result()
        assert kinds(first)[-1] == "Cancelled"
        tiny.open_gate()
        assert second.result().layers
        first.cancel()  # has ended: no effect
        assert [c.job for c in tiny.messages(m.Cancel)] == [first.id]


def test_cancel_while_uploading_stops_the_upload(tiny):
    noise = random.Random(4).randbytes(24 * CHUNK_BYTES)
    jobs: list[Job] = []
    first_put = threading.Event()

    def cancel_at_first_put(direction: str, message: m.Message) -> None:
        if direction == "in" and isinstance(message, m.Put) and not first_put.is_set():
            jobs[0].cancel()
            with pytest.raises(JobCancelled):
                jobs[0].result(10)
            first_put.set()

    tiny.cut = cancel_at_first_put
    with Bridge(tiny.address()) as bridge:
        jobs.append(job_of(bridge, picture=Pixels(noise, 1536, 4096, 4), context=Rect(0, 0, 1536, 4096)))
        assert first_put.wait(10)
        assert job_of(bridge).result().layers
    assert len(tiny.messages(m.Put)) < 24
    assert [submit.job for submit in tiny.messages(m.Submit)] != [jobs[0].id]
    assert tiny.messages(m.Cancel) == []


def test_messages_pass_between_the_chunks_of_an_upload(tiny):
    noise = random.Random(4).randbytes(24 * CHUNK_BYTES)
    planned: list[Any] = []

    def plan_at_first_put(direction: str, message: m.Message) -> None:
        if direction == "in" and isinstance(message, m.Put) and not planned:
            planned.append(bridge.plan_soon(canvas=CANVAS, selection=CONTEXT))

    tiny.cut = plan_at_first_put
    with Bridge(tiny.address()) as bridge:
        job = job_of(bridge, picture=Pixels(noise, 1536, 4096, 4), context=Rect(0, 0, 8, 8))
        job.result()
        planned[0].result(10)
    order = [type(message).__name__ for message in tiny.received]
    assert order.index("Plan") < len(order) - 1 - order[::-1].index("Put")


def test_close_ends_the_jobs_that_wait(tiny):
    tiny.close_gate()
    states: list[str] = []
    bridge = Bridge(tiny.address(), on_connection=lambda state, _: states.append(state))
    job = job_of(bridge)
    next(e for e in job.events() if isinstance(e, m.Started))
    bridge.close()
    bridge.close()
    with pytest.raises(BridgeClosed):
        job.result()
    with pytest.raises(BridgeClosed):
        job_of(bridge)
    with pytest.raises(BridgeClosed):
        bridge.plan(canvas=CANVAS, selection=CONTEXT)
    assert states == ["open", "closed"]
    assert not [t for t in threading.enumerate() if t.name == "paintbridge-client"]


def test_waiting_has_an_end_when_it_is_told(tiny):
    tiny.close_gate()
    with Bridge(tiny.address()) as bridge:
        job = job_of(bridge)
        with pytest.raises(TimeoutError):
            job.result(timeout=0.01)
        assert not job.done
        tiny.open_gate()
        assert job.result().layers


def test_the_same_layer_for_two_jobs_at_once(tiny):
    tiny.close_gate()
    context = Rect(0, 0, 1024, 1024)
    with Bridge(tiny.address()) as bridge:
        jobs = [job_of(bridge, context=context, picture=None, seed=5) for _ in range(3)]
        for job in jobs:
            next(e for e in job.events() if isinstance(e, m.Started))
        tiny.open_gate()
        layers = [job.result(10).layers[0] for job in jobs]
    assert len({layer.picture.hash for layer in layers}) == 1
    assert {bytes(layer.data) for layer in layers} == {random.Random(5).randbytes(1024 * 1024 * 4)}


def test_an_older_bridge_says_which_version_it_serves(tiny):
    tiny.version = m.PROTOCOL_VERSION - 1
    with pytest.raises(BridgeError, match="This bridge serves 1") as caught:
        Bridge(tiny.address())
    assert caught.value.code == "version_unsupported"
    assert "same release" in caught.value.hint
