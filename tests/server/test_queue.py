"""Fairness as bookkeeping."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bridge.protocol.errors import BridgeError
from bridge.server.queue import FairQueue


@dataclass(frozen=True)
class Entry:
    session_id: str
    name: str


def _queue(*names: str, most_of_session: int = 10, most: int = 100) -> FairQueue[Entry]:
    """Names are a session's letter and a number."""
    queue: FairQueue[Entry] = FairQueue(most_of_session=most_of_session, most=most)
    for name in names:
        queue.add(Entry(name[0], name))
    return queue


def _drain(queue: FairQueue[Entry]) -> list[str]:
    taken = []
    while (entry := queue.take()) is not None:
        taken.append(entry.name)
    return taken


def test_sessions_take_turns_and_each_is_served_in_its_own_order() -> None:
    queue = _queue("a1", "a2", "a3", "b1", "c1", "c2")
    foretold = [entry.name for entry in queue]
    assert _drain(queue) == foretold == ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert len(queue) == 0


def test_a_session_that_was_just_served_stands_last() -> None:
    queue = _queue("a1", "a2", "b1", "b2")
    assert queue.take() == Entry("a", "a1")
    queue.add(Entry("c", "c1"))
    assert _drain(queue) == ["b1", "a2", "c1", "b2"]


def test_what_is_removed_is_not_taken() -> None:
    queue = _queue("a1", "a2", "b1")
    assert queue.remove(Entry("a", "a1"))
    assert queue.remove(Entry("b", "b1"))
    assert not queue.remove(Entry("b", "b1"))
    assert Entry("a", "a2") in queue
    assert Entry("b", "b1") not in queue
    assert _drain(queue) == ["a2"]


def test_limits_are_of_a_session_and_of_all() -> None:
    queue = _queue("a1", "a2", most_of_session=2, most=3)
    with pytest.raises(BridgeError, match="queue_full"):
        queue.add(Entry("a", "a3"))
    queue.add(Entry("b", "b1"))
    with pytest.raises(BridgeError, match="queue_full"):
        queue.add(Entry("c", "c1"))
    assert [entry.name for entry in queue] == ["a1", "b1", "a2"]
