"""Which events the bridge may forget: those before the first one whose pictures are still being fetched."""

from __future__ import annotations

from typing import Optional

__all__ = ["Acknowledgements"]


class Acknowledgements:
    """Those of one session."""

    def __init__(self) -> None:
        self._arrived = 0
        self._held: set[int] = set()
        self._sent = 0

    def arrived(self, event: int, *, hold: bool) -> None:
        """An event is here; ``hold`` it until :meth:`release` when there are pictures to fetch."""
        self._arrived = event
        if hold:
            self._held.add(event)

    def release(self, event: int) -> None:
        """The event's pictures are here, or are given up."""
        self._held.discard(event)

    def due(self) -> Optional[int]:
        """The number to acknowledge now, if it has risen."""
        number = min(self._held) - 1 if self._held else self._arrived
        if number <= self._sent:
            return None
        self._sent = number
        return number

    def sent(self) -> Optional[int]:
        """The last number, to be sent again after a lost connection."""
        return self._sent or None
