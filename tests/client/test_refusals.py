"""The client against a tiny bridge that refuses, lies, or is not there."""

from __future__ import annotations

import random
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from bridge.client import Bridge, ConditionPixels, Job, NotRunning, Pixels
from bridge.client.discovery import Address
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


def test_a_job_that_the_bridge_refuses(tiny):
    tiny.refuse = lambda message: (
        m.Error("queue_full", "Too many.", "Wait.", message.job) if isinstance(message, m.Submit) else None
    )
    with Bridge(tiny.address()) as bridge:
        job = job_of(bridge)
        with pytest.raises(BridgeError) as caught:
            job.result()
        assert caught.value.code == "queue_full"
        tiny.refuse = lambda _: None
        assert job_of(bridge).result().layers


def test_pictures_that_the_bridge_refuses(tiny):
    tiny.refuse = lambda message: (
        m.Error("picture_too_large", "Large.", "Less.", message.pictures[1].hash)
        if isinstance(message, m.Offer)
        else None
    )
    with Bridge(tiny.address()) as bridge, pytest.raises(BridgeError, match="picture_too_large"):
        job_of(bridge).result()


def test_a_picture_refused_while_it_is_sent(tiny):
    tiny.refuse = lambda message: (
        m.Error("upload_budget", "Full.", "Wait.", message.hash) if isinstance(message, m.Put) else None
    )
    noise = random.Random(4).randbytes(64 * CHUNK_BYTES)
    with Bridge(tiny.address()) as bridge:
        with pytest.raises(BridgeError, match="upload_budget"):
            job_of(bridge, picture=Pixels(noise, 4096, 4096, 4)).result()
        tiny.refuse = lambda _: None
        assert job_of(bridge).result().layers
    assert len(tiny.messages(m.Put)) < 64


def test_a_refusal_that_names_nothing_ends_what_waits(tiny):
    tiny.refuse = lambda message: m.Error("internal", "Oh.", "Well.") if isinstance(message, m.Plan) else None
    with Bridge(tiny.address()) as bridge, pytest.raises(BridgeError, match="internal"):
        bridge.plan(canvas=CANVAS, selection=CONTEXT)


def test_plan_is_refused(tiny):
    with Bridge(tiny.address()) as bridge, pytest.raises(BridgeError) as caught:
        bridge.plan(canvas=CANVAS)
    assert caught.value.code == "empty_selection"


def test_a_code_of_a_newer_bridge_is_told_in_its_words(tiny):
    tiny.refuse = lambda message: (
        m.Error("moon_phase", "The moon is wrong.", "Wait a week.", "1") if isinstance(message, m.Plan) else None
    )
    with Bridge(tiny.address()) as bridge, pytest.raises(BridgeError, match=r"The moon is wrong\. Wait a week\."):
        bridge.plan(canvas=CANVAS, selection=CONTEXT)


def test_a_layer_whose_bytes_are_not_what_was_said(tiny):
    with Bridge(tiny.address()) as bridge:
        with pytest.raises(BridgeError, match="picture_mismatch"):
            job_of(bridge, prompt="lie").result()
        assert job_of(bridge).result().layers


def test_a_layer_that_was_dropped_before_it_was_fetched(tiny):
    tiny.drop_results = True
    with Bridge(tiny.address()) as bridge, pytest.raises(BridgeError) as caught:
        job_of(bridge).result()
    assert caught.value.code == "result_expired"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"prompt": "x" * 9000}, "text_too_long"),
        ({"negative_prompt": "x" * 90_000}, "text_too_long"),
        ({"strength": 0.0}, "out_of_range"),
        ({"kind": "paint"}, "out_of_range"),
        ({"steps": 1.5}, "wrong_type"),
        ({"prompt": "a bird \ud83d"}, "bad_text"),
        ({"checkpoint": "caf\udce9"}, "bad_text"),
        ({"picture": Pixels(bytes(5), 32, 16, 3)}, "picture_mismatch"),
        ({"conditions": [ConditionPixels("scribble", PIXELS, strength=9.0)]}, "out_of_range"),
    ],
)
def test_what_can_be_told_without_the_bridge_is_told_at_once(tiny, fields, code):
    with Bridge(tiny.address()) as bridge:
        with pytest.raises(BridgeError) as caught:
            job_of(bridge, **fields)
        assert bridge.plan(canvas=CANVAS, selection=CONTEXT)
    assert caught.value.code == code
    assert tiny.messages(m.Offer) == []


def test_a_wrong_token(tiny):
    with pytest.raises(BridgeError) as caught:
        Bridge(tiny.address(token="guessed"))
    assert caught.value.code == "unauthorized"
    assert not [t for t in threading.enumerate() if t.name == "paintbridge-client"]


def test_a_wrong_version(tiny):
    tiny.version = 7
    with pytest.raises(BridgeError, match="serves 7"):
        Bridge(tiny.address())


def test_nobody_answers(tiny):
    tiny.stop()
    with pytest.raises(NotRunning, match="Start it with: tiny serve") as caught:
        Bridge(tiny.address())
    assert caught.value.start_command == ("tiny", "serve")


def test_something_else_answers(tiny):
    with pytest.raises(NotRunning):
        Bridge(Address(f"http://127.0.0.1:{_http_port()}", "t"))


def _http_port() -> int:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    threading.Thread(target=server.handle_request, daemon=True).start()
    return int(server.server_address[1])
