"""What may follow what, on each side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack
import pytest

from bridge.protocol import messages as m
from bridge.protocol.errors import BridgeError
from bridge.protocol.session import ClientSession, JobStates, ServerConnection, ServerSession
from bridge.protocol.wire import encode

LIMITS = m.Limits(1 << 20, 1, 1, 1, 1, 60.0)
DEVICE = m.Device(m.DeviceInfo("cpu", "test", "float32", 0))
HELLO = m.Hello(m.PROTOCOL_VERSION, "test", "token")


def welcome(session: str = "s1") -> m.Welcome:
    return m.Welcome(m.PROTOCOL_VERSION, "0", session, LIMITS, (), ())


def submit(job: str = "a") -> m.Submit:
    return m.Submit(job, m.Extent(8, 8), m.Rect(0, 0, 8, 8))


def result(event: int, job: str = "a") -> m.Result:
    return m.Result(event, job, (), 0, {})


def code_of(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(BridgeError) as caught:
        call(*arguments, **options)
    return caught.value.code


# ---------------------------------------------------------------- jobs

LIFE = {
    "": set(),
    "submitted": {"queued", "failed", "cancelled"},
    "queued": {"queued", "started", "failed", "cancelled"},
    "started": {"progress", "result", "failed", "cancelled"},
    "progress": {"progress", "result", "failed", "cancelled"},
    "result": set(),
    "failed": set(),
    "cancelled": set(),
}
WAY = {
    "": [],
    "queued": ["queued"],
    "started": ["queued", "started"],
    "progress": ["queued", "started", "progress"],
    "result": ["queued", "started", "result"],
    "failed": ["failed"],
    "cancelled": ["queued", "cancelled"],
}
EVENTS = {
    "queued": m.Queued(1, "a", 0),
    "started": m.Started(1, "a"),
    "progress": m.Progress(1, "a", "denoise", 1, 2),
    "result": result(1),
    "failed": m.Failed(1, "a", "internal", "Oh.", "Well."),
    "cancelled": m.Cancelled(1, "a"),
}


@pytest.mark.parametrize("state", LIFE)
@pytest.mark.parametrize("event", EVENTS)
def test_a_jobs_life_has_one_order(state, event):
    states = JobStates()
    if state:
        states.begin("a")
    for step in WAY.get(state, []):
        states.advance(EVENTS[step])
    if event in LIFE[state]:
        states.advance(EVENTS[event])
    else:
        assert code_of(states.advance, EVENTS[event]) == "unexpected_message"


def test_names_of_jobs_are_free_again_when_their_end_was_dealt_with():
    states = JobStates()
    states.begin("a")
    assert code_of(states.begin, "a") == "job_exists"
    states.advance(EVENTS["failed"])
    assert states.open_jobs() == []
    assert code_of(states.begin, "a") == "job_exists"
    states.forget("a")
    states.begin("a")
    assert states.open_jobs() == ["a"]


# ---------------------------------------------------------------- the server's side


def test_hello_comes_first_and_once():
    connection = ServerConnection()
    assert code_of(connection.receive, encode(m.Cancel("a"))) == "unexpected_message"
    assert connection.receive(encode(HELLO)) == HELLO
    # Until the token was accepted, nothing else may come.
    assert code_of(connection.receive, encode(m.Resume("s", 0))) == "unexpected_message"
    connection.accept(HELLO)
    assert code_of(connection.receive, encode(HELLO)) == "unexpected_message"


def test_only_the_served_version_is_accepted():
    connection = ServerConnection()
    for version, what in ((1, "Update the plug-in"), (9, "Update the bridge")):
        with pytest.raises(BridgeError, match=rf"speaks version {version} .* serves 2") as caught:
            connection.accept(replace(HELLO, version=version))
        assert (caught.value.code, connection.greeted) == ("version_unsupported", False)
        assert caught.value.hint.startswith(what)


def test_resume_comes_right_after_the_welcome_or_never():
    connection = ServerConnection()
    connection.accept(HELLO)
    assert connection.receive(encode(m.Resume("s", 0))) == m.Resume("s", 0)
    assert code_of(connection.receive, encode(m.Resume("s", 0))) == "unexpected_message"
    connection = ServerConnection()
    connection.accept(HELLO)
    connection.receive(encode(m.Cancel("a")))
    assert code_of(connection.receive, encode(m.Resume("s", 0))) == "unexpected_message"


def one_job(session: ServerSession, job: str) -> None:
    session.begin(submit(job))
    session.emit(m.Queued, job=job, position=0)
    session.emit(m.Started, job=job)


def test_events_are_numbered_kept_and_freed():
    session = ServerSession("s")
    one_job(session, "a")
    done = session.emit(m.Result, job="a", layers=(), reach=0, timings={})
    assert [event.event for event in session.replay(0)] == [1, 2, 3]
    assert [event.event for event in session.replay(2)] == [3]
    assert session.held_results() == [done]
    assert code_of(session.acknowledge, 4) == "out_of_range"
    assert code_of(session.replay, 4) == "out_of_range"
    assert [event.event for event in session.acknowledge(2)] == [1, 2]
    assert session.acknowledge(2) == []
    assert session.acknowledge(1) == []
    assert code_of(session.begin, submit("a")) == "job_exists"
    assert session.acknowledge(3) == [done]
    session.begin(submit("a"))
    assert (session.waiting, session.held_results()) == (0, [])
    assert code_of(session.replay, 2) == "out_of_range"
    assert session.replay(3) == []


def test_events_are_read_one_by_one():
    session = ServerSession("s")
    assert session.event_after(0) is None
    one_job(session, "a")
    assert session.event_after(0) == m.Queued(1, "a", 0)
    session.acknowledge(1)
    assert session.event_after(0) == m.Started(2, "a")
    assert session.event_after(2) is None


def test_a_fault_of_the_server_numbers_nothing():
    session = ServerSession("s")
    session.begin(submit("a"))
    assert code_of(session.emit, m.Started, job="a") == "unexpected_message"
    assert session.emit(m.Queued, job="a", position=0).event == 1


def test_previews_belong_to_jobs_that_run():
    session = ServerSession("s")
    session.begin(submit("a"))
    session.emit(m.Queued, job="a", position=0)
    assert not session.preview_allowed("a")
    session.emit(m.Started, job="a")
    assert session.preview_allowed("a")
    session.emit(m.Cancelled, job="a")
    assert not session.preview_allowed("a")
    assert not session.preview_allowed("b")


def test_an_expired_result_is_replayed_as_a_failure():
    session = ServerSession("s")
    one_job(session, "a")
    done = session.emit(m.Result, job="a", layers=(), reach=0, timings={})
    failed = session.expire(done)
    assert (failed.event, failed.job, failed.code) == (3, "a", "result_expired")
    assert session.replay(2) == [failed]
    assert session.held_results() == []


# ---------------------------------------------------------------- the client's side


def greeted(session: str = "s1") -> ClientSession:
    client = ClientSession(client="test")
    assert client.connect("token") == HELLO
    client.receive(encode(welcome(session)))
    return client


def test_a_client_submits_when_it_is_connected():
    client = ClientSession(client="test")
    assert code_of(client.submit, submit()) == "unexpected_message"
    client.connect("token")
    assert code_of(client.submit, submit()) == "unexpected_message"
    assert client.receive(encode(welcome())) == (welcome(), None)
    assert (client.session, client.open) == ("s1", True)
    assert client.submit(submit()) == submit()
    assert code_of(client.submit, submit()) == "job_exists"
    client.disconnected()
    assert code_of(client.submit, submit("b")) == "unexpected_message"


@pytest.mark.parametrize(
    "message", [m.Queued(1, "a", 0), DEVICE, m.Resumed("s1", 0), m.Wanted(()), m.Put("a" * 64, 0, b"x")]
)
def test_nothing_comes_before_the_welcome(message):
    client = ClientSession(client="test")
    client.connect("token")
    assert code_of(client.receive, encode(message)) == "unexpected_message"


@pytest.mark.parametrize("message", [welcome(), m.Resumed("s1", 0), m.Queued(1, "nobody's", 0), m.Queued(2, "a", 0)])
def test_what_may_not_come_once_the_session_is_open(message):
    client = greeted()
    client.submit(submit())
    assert code_of(client.receive, encode(message)) == "unexpected_message"


def test_nothing_comes_while_there_is_no_connection():
    client = greeted()
    client.disconnected()
    assert code_of(client.receive, encode(DEVICE)) == "unexpected_message"


def test_refusals_may_come_at_any_time():
    error, closing = m.Error("unauthorized", "No.", "Well."), m.Closing("The bridge is shutting down.")
    for client in (ClientSession(client="test"), greeted()):
        client.connect("token")
        assert client.receive(encode(error)) == (error, None)
        assert client.receive(encode(closing)) == (closing, None)


def test_previews_of_jobs_that_do_not_run_are_dropped():
    client = greeted()
    client.submit(submit())
    preview = m.Preview("a", 1, 1, 1, bytes(3))
    assert client.receive(encode(preview)) == (None, None)
    client.receive(encode(m.Queued(1, "a", 0)))
    client.receive(encode(m.Started(2, "a")))
    assert client.receive(encode(preview)) == (preview, None)
    client.receive(encode(result(3)))
    assert client.receive(encode(preview)) == (None, None)


def test_resume_asks_for_what_was_missed_and_drops_what_comes_twice():
    client = greeted()
    client.submit(submit())
    client.receive(encode(m.Queued(1, "a", 0)))
    client.disconnected()
    client.connect("token")
    assert client.receive(encode(welcome("s2"))) == (welcome("s2"), m.Resume("s1", 1))
    assert not client.open
    assert client.receive(encode(DEVICE)) == (DEVICE, None)
    assert code_of(client.receive, encode(m.Started(2, "a"))) == "unexpected_message"
    assert client.receive(encode(m.Resumed("s1", 2))) == (m.Resumed("s1", 2), None)
    assert (client.open, client.session) == (True, "s1")
    assert client.receive(encode(m.Queued(1, "a", 0))) == (None, None)
    assert client.receive(encode(m.Started(2, "a"))) == (m.Started(2, "a"), None)
    assert client.last_event == 2


@pytest.mark.parametrize("code", ["session_unknown", "session_dropped", "out_of_range", "a code of a later bridge's"])
def test_a_session_that_cannot_be_resumed_has_lost_the_open_jobs_only(code):
    client = greeted()
    for job in ("a", "b", "c"):
        client.submit(submit(job))
    client.receive(encode(m.Failed(1, "b", "internal", "Oh.", "Well.")))
    client.disconnected()
    client.connect("token")
    client.receive(encode(welcome("s2")))
    unknown = m.Error(code, "Gone.", "Again.", "s1")
    assert client.receive(encode(unknown)) == (unknown, None)
    assert (client.session, client.open, client.last_event, client.lost_jobs) == ("s2", True, 0, ("a", "c"))
    assert client.open_jobs() == []
    # The fresh session counts from 1, and the names of the lost jobs are free.
    client.submit(submit("a"))
    assert client.receive(encode(m.Queued(1, "a", 0)))[0] == m.Queued(1, "a", 0)


def test_a_message_of_a_later_bridge_is_passed_over():
    client = greeted()
    assert client.receive(msgpack.packb({"type": "weather", "sun": True})) == (None, None)
    client.submit(submit())
    assert client.receive(encode(m.Queued(1, "a", 0)))[0] == m.Queued(1, "a", 0)


def test_session_unknown_in_an_open_session_changes_nothing():
    client = greeted()
    client.submit(submit())
    client.receive(encode(m.Error("session_unknown", "Gone.", "Again.", "s1")))
    assert (client.session, client.open_jobs(), client.lost_jobs) == ("s1", ["a"], ())
