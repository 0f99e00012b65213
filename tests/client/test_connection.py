"""When a connection counts as open, frame by frame, without a socket."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.client.connection import Connection
from bridge.client.discovery import Address
from bridge.protocol import messages as m
from bridge.protocol.errors import BridgeError
from bridge.protocol.wire import encode

LIMITS = m.Limits(1 << 20, 1, 1, 1, 1, 60.0)


class Told:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def received(self, message: m.ServerMessage) -> None:
        self.calls.append(message)

    def opened(self) -> None:
        self.calls.append("opened")

    def interrupted(self, reason: Exception | None) -> None:
        self.calls.append("interrupted" if reason is None else reason)

    def session_lost(self, jobs: tuple[str, ...], error: BridgeError) -> None:
        self.calls.append(("lost", jobs, error.code, error.message))

    def ended(self, error: Exception) -> None:
        self.calls.append(error)


class Line:
    """A connection, and what comes in over one socket after the other."""

    def __init__(self) -> None:
        self.told = Told()
        self.connection = Connection(locate=lambda: Address("ws://localhost:1", "t"), client="test", listener=self.told)

    async def greet(self, session: str) -> None:
        self.connection.session.connect("t")
        await self.hear(m.Welcome(1, "0", session, LIMITS, (), ()))

    async def hear(self, *messages: m.ServerMessage) -> None:
        for message in messages:
            await self.connection._take(encode(message))

    async def lose(self) -> None:
        await self.connection._detach()

    @property
    def is_open(self) -> bool:
        return self.connection._is_open.is_set()


@pytest.fixture
async def line() -> Line:
    """Connected, with one job submitted."""
    line = Line()
    await line.greet("s1")
    submit = m.Submit("a", m.Extent(8, 8), m.Rect(0, 0, 8, 8))
    line.connection.session.submit(submit)
    return line


async def test_a_first_connection_is_open_after_the_welcome(line):
    assert line.is_open
    assert line.told.calls == ["opened"]


async def test_a_resumed_one_is_open_after_the_replay(line):
    await line.lose()
    assert not line.is_open
    await line.greet("s2")
    await line.hear(m.Resumed("s1", 2))
    assert not line.is_open
    await line.hear(m.Queued(1, "a", 0))
    assert not line.is_open
    await line.hear(m.Started(2, "a"))
    assert line.is_open
    assert line.told.calls == ["opened", m.Queued(1, "a", 0), m.Started(2, "a"), "opened"]


async def test_one_that_missed_nothing_is_open_at_once(line):
    await line.lose()
    await line.greet("s2")
    await line.hear(m.Resumed("s1", 0))
    assert line.is_open


async def test_a_replay_that_broke_off_is_not_counted_on(line):
    await line.lose()
    await line.greet("s2")
    await line.hear(m.Resumed("s1", 2), m.Queued(1, "a", 0))
    await line.lose()
    await line.greet("s3")
    await line.hear(m.Error("session_dropped", "Gone.", "Again.", "s1"))
    assert line.is_open
    assert line.told.calls[-2:] == [("lost", ("a",), "session_dropped", "Gone."), "opened"]
    line.connection.session.submit(m.Submit("b", m.Extent(8, 8), m.Rect(0, 0, 8, 8)))
    await line.hear(m.Queued(1, "b", 0))
    assert line.told.calls[-1] == m.Queued(1, "b", 0)


async def test_a_refused_greeting_is_an_error(line):
    await line.lose()
    line.connection.session.connect("t")
    with pytest.raises(BridgeError) as caught:
        await line.hear(m.Error("unauthorized", "No.", "Take the right one."))
    assert caught.value.code == "unauthorized"


async def test_an_error_before_it_is_open_that_is_not_about_the_session_is_an_error(line):
    await line.lose()
    await line.greet("s2")
    with pytest.raises(BridgeError) as caught:
        await line.hear(m.Error("internal", "Something went wrong.", "Well."))
    assert caught.value.code == "internal"
    assert not line.is_open
