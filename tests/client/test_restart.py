"""Bridges that are started anew, move, or stay away."""

from __future__ import annotations

import json
import threading

import pytest
from cut_jobs import CANVAS, CONTEXT, PAINTED, WHOLE_LIFE, job_of, once
from job_forms import said

from bridge.client import Bridge, ConnectionLost
from bridge.protocol import messages as m
from bridge.protocol.errors import BridgeError


def test_jobs_of_a_restarted_bridge_fail_and_can_be_sent_again(tiny):
    tiny.close_gate()
    with Bridge(tiny.address()) as bridge:
        job = job_of(bridge)
        next(e for e in job.events() if isinstance(e, m.Started))
        tiny.stop()
        tiny.forget()
        tiny.open_gate()
        tiny.start()
        with pytest.raises(BridgeError) as caught:
            job.result(10)
        assert caught.value.code == "session_unknown"
        assert bytes(job_of(bridge).result(10).layers[0].data) == PAINTED
        # Events count from 1 again, and so do acknowledgements.
        assert bytes(job_of(bridge).result(10).layers[0].data) == PAINTED
        bridge.plan(canvas=CANVAS, selection=CONTEXT)
    assert tiny.messages(m.Ack)[-1].event == 2 * len(WHOLE_LIFE)


def test_a_job_on_its_way_goes_to_the_restarted_bridge(tiny):
    tiny.cut = once("in", m.Put, "before", then=tiny.sessions.clear)
    with Bridge(tiny.address()) as bridge:
        assert bytes(job_of(bridge).result(10).layers[0].data) == PAINTED
    assert tiny.connections == 2


def test_a_job_whose_submission_was_lost_in_a_restart_is_not_sent_behind_the_hosts_back(tiny):
    tiny.cut = once("in", m.Submit, "before", then=tiny.sessions.clear)
    with Bridge(tiny.address()) as bridge:
        with pytest.raises(BridgeError) as caught:
            job_of(bridge).result(10)
        assert caught.value.code == "session_unknown"
        assert job_of(bridge, seed=6).result(10).layers
    assert [said(submit).seed for submit in tiny.messages(m.Submit)] == [5, 6]


def test_an_acknowledgement_that_was_lost_is_sent_again(tiny):
    again = threading.Event()
    last = len(WHOLE_LIFE)

    def cut(direction: str, message: m.Message) -> str | None:
        return "before" if message == m.Ack(last) and not again.is_set() else None

    tiny.cut = cut
    with Bridge(
        tiny.address(), on_connection=lambda state, _: again.set() if state == "interrupted" else None
    ) as bridge:
        job_of(bridge).result(10)
        assert again.wait(10)
        bridge.plan(canvas=CANVAS, selection=CONTEXT)
    (session,) = tiny.sessions.values()
    assert session.results == {}


def test_a_restart_while_the_layer_is_fetched(tiny):
    tiny.cut = once("in", m.Get, "before", then=tiny.sessions.clear)
    with Bridge(tiny.address()) as bridge:
        with pytest.raises(BridgeError) as caught:
            job_of(bridge).result(10)
        assert caught.value.code == "session_unknown"
        assert job_of(bridge).result(10).layers


def test_a_bridge_that_stays_away(tiny):
    tiny.limits = m.Limits(1 << 20, 1, 1, 1, 1, 0.0)
    tiny.close_gate()
    closed: list[Exception | None] = []
    with Bridge(
        tiny.address(), on_connection=lambda state, error: closed.append(error) if state == "closed" else None
    ) as bridge:
        job = job_of(bridge)
        next(e for e in job.events() if isinstance(e, m.Started))
        tiny.stop()
        with pytest.raises(ConnectionLost):
            job.result(10)
        with pytest.raises(ConnectionLost):
            bridge.plan(canvas=CANVAS, selection=CONTEXT)
        with pytest.raises(ConnectionLost):
            job_of(bridge).result(10)
    assert [type(error) for error in closed] == [ConnectionLost]


def test_close_while_the_bridge_is_away(tiny):
    away = threading.Event()
    bridge = Bridge(tiny.address(), on_connection=lambda state, _: away.set() if state == "interrupted" else None)
    tiny.stop()
    assert away.wait(10)
    bridge.close()
    assert not [t for t in threading.enumerate() if t.name == "paintbridge-client"]


def test_a_bridge_that_moved_is_found_again(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path))
    monkeypatch.delenv("PAINTBRIDGE_URL", raising=False)
    monkeypatch.delenv("PAINTBRIDGE_TOKEN", raising=False)

    def publish() -> None:
        address = tiny.address()
        runtime = {"url": address.url, "token": address.token, "pid": 1, "start_command": ["tiny"]}
        # In one piece, as a bridge does: the client reads it at any moment.
        (tmp_path / "fresh.json").write_text(json.dumps(runtime))
        (tmp_path / "fresh.json").replace(tmp_path / "runtime.json")

    publish()
    tiny.close_gate()
    with Bridge() as bridge:
        job = job_of(bridge)
        next(e for e in job.events() if isinstance(e, m.Started))
        first_port = tiny.port
        tiny.stop()
        tiny.port = 0
        tiny.start()
        publish()
        tiny.open_gate()
        assert tiny.port != first_port
        assert bytes(job.result(10).layers[0].data) == PAINTED


def test_a_token_that_was_rotated_ends_it(tiny, monkeypatch):
    monkeypatch.setattr(
        "bridge.client.bridge.discover", lambda: addresses.pop() if len(addresses) > 1 else addresses[0]
    )
    addresses = [tiny.address(token="old"), tiny.address()]
    tiny.close_gate()
    with Bridge() as bridge:
        job = job_of(bridge)
        next(e for e in job.events() if isinstance(e, m.Started))
        tiny.disconnect()
        with pytest.raises(BridgeError) as caught:
            job.result(10)
    assert caught.value.code == "unauthorized"
