"""Whose turn it is: sessions take turns, and within a session who came first is served first.

Pure bookkeeping, without a clock or an engine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from ..protocol.errors import BridgeError

__all__ = ["FairQueue"]


class Waiting(Protocol):
    """Whatever can wait in the queue."""

    @property
    def session_id(self) -> str: ...


W = TypeVar("W", bound=Waiting)


class FairQueue(Generic[W]):
    """Round robin over sessions, first in first out within one."""

    def __init__(self, *, most_of_session: int, most: int) -> None:
        self._most_of_session = most_of_session
        self._most = most
        # In the order of their turns: the session that was served last stands last.
        self._lines: dict[str, deque[W]] = {}

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def __contains__(self, entry: W) -> bool:
        return entry in self._lines.get(entry.session_id, ())

    def __iter__(self) -> Iterator[W]:
        """The entries in the order in which they will be taken."""
        lines = [iter(line) for line in self._lines.values()]
        while lines:
            for line in list(lines):
                entry = next(line, None)
                if entry is None:
                    lines.remove(line)
                else:
                    yield entry

    def check_room(self, session_id: str) -> None:
        """See whether one more may wait.

        Raises:
            BridgeError: ``queue_full``, of this session or altogether.
        """
        mine = len(self._lines.get(session_id, ()))
        if mine >= self._most_of_session:
            raise BridgeError("queue_full", "{count} jobs of this session are waiting, which is the limit.", count=mine)
        if len(self) >= self._most:
            # Most of them may be others', whom nobody here can ask.
            raise BridgeError(
                "queue_full",
                "{count} jobs are waiting, which is the bridge's limit.",
                "Wait until one of them has begun, then send this one again.",
                count=len(self),
            )

    def add(self, entry: W) -> None:
        """Let an entry wait.

        Raises:
            BridgeError: as :meth:`check_room`.
        """
        self.check_room(entry.session_id)
        self._lines.setdefault(entry.session_id, deque()).append(entry)

    def take(self) -> W | None:
        """The next entry, or None; its session's turn is over."""
        for session_id, line in self._lines.items():
            entry = line.popleft()
            del self._lines[session_id]
            if line:
                self._lines[session_id] = line
            return entry
        return None

    def remove(self, entry: W) -> bool:
        """Take an entry out of turn; whether it was waiting."""
        line = self._lines.get(entry.session_id)
        if line is None or entry not in line:
            return False
        line.remove(entry)
        if not line:
            del self._lines[entry.session_id]
        return True
