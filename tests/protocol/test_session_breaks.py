"""Both sides of a session, joined without a socket by a line that breaks."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest

from bridge.protocol import messages as m
from bridge.protocol.session import ClientSession, ServerConnection, ServerSession
from bridge.protocol.wire import encode

LIMITS = m.Limits(1 << 20, 1, 1, 1, 1, 60.0)
EVENTS = (m.Queued, m.Started, m.Progress, m.Result, m.Failed, m.Cancelled)


def welcome(session: str) -> m.Welcome:
    return m.Welcome(m.PROTOCOL_VERSION, "0", session, LIMITS, (), ())


def submit(job: str = "a") -> m.Submit:
    return m.Submit(job, m.Extent(8, 8), m.Rect(0, 0, 8, 8))


class Line:
    """Both sides, and the frames between them. A break loses all frames that are on their way."""

    def __init__(self) -> None:
        self.sessions: dict[str, ServerSession] = {}
        self.client = ClientSession(client="test")
        self.connection = ServerConnection()
        self.server: ServerSession | None = None
        self.to_server: deque[bytes] = deque()
        self.to_client: deque[bytes] = deque()
        self.seen: list[Any] = []
        self.emitted: list[Any] = []
        self.connected = False
        self.breaks = 0

    def connect(self) -> None:
        self.connection, self.server, self.connected = ServerConnection(), None, True
        self.to_server.append(encode(self.client.connect("token")))

    def lose(self) -> None:
        self.breaks += 1
        self.to_server.clear()
        self.to_client.clear()
        self.client.disconnected()
        self.connected = False

    def emit(self, session: ServerSession, kind: type[Any], **values: Any) -> None:
        event = session.emit(kind, **values)
        self.emitted.append(event)
        if session is self.server and self.connected:
            self.to_client.append(encode(event))

    def serve(self) -> None:
        """The server takes one frame."""
        message = self.connection.receive(self.to_server.popleft())
        if isinstance(message, m.Hello):
            self.connection.accept(message)
            name = f"s{len(self.sessions)}"
            self.server = self.sessions[name] = ServerSession(name)
            self.to_client.append(encode(welcome(name)))
        elif isinstance(message, m.Resume):
            self.server = self.sessions.get(message.session)
            if self.server is None:
                self.to_client.append(encode(m.Error("session_unknown", "Gone.", "Again.", message.session)))
                return
            missed = self.server.replay(message.last_event)
            self.to_client.append(encode(m.Resumed(self.server.id, len(missed))))
            self.to_client.extend(encode(event) for event in missed)
        elif isinstance(message, m.Submit):
            assert self.server is not None
            self.server.begin(message)
            self.emit(self.server, m.Queued, job=message.job, position=0)
        elif isinstance(message, m.Ack):
            assert self.server is not None
            self.server.acknowledge(message.event)

    def hear(self) -> None:
        """The client takes one frame."""
        message, reply = self.client.receive(self.to_client.popleft())
        if reply is not None:
            self.to_server.append(encode(reply))
        if isinstance(message, EVENTS):
            self.seen.append(message)

    def settle(self) -> None:
        """Let everything arrive, connecting if need be."""
        if not self.connected:
            self.connect()
        while self.to_server or self.to_client:
            if self.to_server:
                self.serve()
            if self.to_client:
                self.hear()


STEPS = [
    (m.Started, {}),
    (m.Progress, {"stage": "denoise", "step": 1, "steps": 2}),
    (m.Progress, {"stage": "denoise", "step": 2, "steps": 2}),
    (m.Result, {"layers": (), "reach": 0, "timings": {}}),
]


def life_with_a_break(at: int) -> tuple[Line, int]:
    """One job's life, one action after the other, with a break before action ``at``. Returns the actions' number."""
    line = Line()
    line.settle()
    session = line.sessions["s0"]
    line.to_server.append(encode(line.client.submit(submit())))
    actions: list[Any] = [line.serve, line.hear]
    for kind, values in STEPS:
        actions += [lambda kind=kind, values=values: line.emit(session, kind, job="a", **values), line.hear]
    for number, action in enumerate(actions):
        if number == at:
            line.lose()
            line.settle()
            if session.event_after(0) is None:
                # Without any event after the replay, the submission itself was lost.
                line.to_server.append(encode(submit()))
                line.settle()
        if action == line.serve and not line.to_server:
            continue
        if action == line.hear and not line.to_client:
            continue
        action()
    line.settle()
    return line, len(actions)


def test_a_break_at_any_point_of_a_jobs_life_loses_nothing_and_repeats_nothing():
    _, actions = life_with_a_break(at=-1)
    for at in range(actions):
        line, _ = life_with_a_break(at)
        assert line.breaks == 1
        assert line.seen == line.emitted, at
        assert [event.event for event in line.seen] == [1, 2, 3, 4, 5], at


@pytest.mark.parametrize("seed", range(40))
def test_random_breaks_lose_nothing_and_repeat_nothing(seed):
    rng = random.Random(seed)
    line = Line()
    line.settle()
    session = line.sessions["s0"]
    left: dict[str, list[Any]] = {}
    submitted = 0
    for _ in range(400):
        if not line.connected:
            if rng.random() < 0.5:
                line.connect()
        elif rng.random() < 0.04:
            line.lose()
        choice = rng.random()
        if choice < 0.1 and line.client.open and submitted < 12:
            job = f"job {submitted}"
            submitted += 1
            line.to_server.append(encode(line.client.submit(submit(job))))
        elif choice < 0.4 and line.to_server:
            line.serve()
        elif choice < 0.7 and line.to_client:
            line.hear()
        elif choice < 0.9:
            waiting = [job for job in session.open_jobs() if left.setdefault(job, list(STEPS))]
            if waiting:
                job = rng.choice(waiting)
                if rng.random() < 0.1:
                    left[job] = []
                    line.emit(session, m.Cancelled, job=job)
                else:
                    kind, values = left[job].pop(0)
                    line.emit(session, kind, job=job, **values)
        elif line.client.open and line.client.last_event:
            line.to_server.append(encode(m.Ack(rng.randint(1, line.client.last_event))))
    line.settle()
    assert line.breaks > 3
    assert line.seen == line.emitted
    assert [event.event for event in line.seen] == list(range(1, len(line.emitted) + 1))
    assert line.client.session == "s0"
    assert len(line.seen) > 15
