"""The pictures of results, kept until the client has acknowledged them, within a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..protocol.messages import Result
from ..protocol.pixels import Buffer

__all__ = ["ResultStore"]


class ResultStore:
    """Result pictures of one session by content hash. Two results may share one."""

    def __init__(self, *, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._data: dict[str, Buffer] = {}
        self._users: dict[str, int] = {}
        self._expired: dict[int, frozenset[str]] = {}
        self._used = 0

    @property
    def used_bytes(self) -> int:
        """Bytes that are held."""
        return self._used

    def get(self, picture_hash: str) -> Buffer | None:
        """A picture's bytes, or None."""
        return self._data.get(picture_hash)

    def expired(self, picture_hash: str) -> bool:
        """Whether the picture belonged to a result that was given up and is not acknowledged yet."""
        return any(picture_hash in hashes for hashes in self._expired.values())

    def hold(self, result: Result, pictures: Mapping[str, Buffer]) -> None:
        """Keep a result's pictures; ``pictures`` has all of them."""
        for picture_hash in _hashes(result):
            if picture_hash not in self._data:
                self._data[picture_hash] = pictures[picture_hash]
                self._used += _size(pictures[picture_hash])
            self._users[picture_hash] = self._users.get(picture_hash, 0) + 1

    def free(self, result: Result) -> None:
        """The result was acknowledged."""
        for picture_hash in _hashes(result):
            self._users[picture_hash] -= 1
            if not self._users[picture_hash]:
                del self._users[picture_hash]
                self._used -= _size(self._data.pop(picture_hash))

    def forget_expired(self, event: int) -> None:
        """The end of a given-up result's job was acknowledged."""
        self._expired.pop(event, None)

    def make_room(self, needed: int, waiting: Iterable[Result]) -> list[Result]:
        """Give up waiting results, oldest first, until ``needed`` more bytes fit.

        Returns:
            Those that were given up.
        """
        given_up: list[Result] = []
        for result in waiting:
            if self._used + needed <= self._most_bytes:
                break
            self.free(result)
            self._expired[result.event] = _hashes(result)
            given_up.append(result)
        return given_up


def _hashes(result: Result) -> frozenset[str]:
    return frozenset(layer.picture.hash for layer in result.layers)


def _size(data: Buffer) -> int:
    return memoryview(data).nbytes
