"""From other threads to the user interface's.

Whatever is let go last on a thread is deleted there, and what is Qt's or Krita's must not be: Krita would crash, at
once or some time after. So threads hold none of it, but what they send goes by a number.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

from .qt import Qt, QtCore, Signal

__all__ = ["Inbox"]


class Inbox:
    """Hands what is sent to a function, on the user interface's thread, and keeps that function until it is closed.
    Whatever comes later is dropped. ``send`` may be called, and let go, on any thread.
    """

    def __init__(self, take: Callable[[Any], None]) -> None:
        self._number = next(_numbers)
        _open[self._number] = take
        self.send: Callable[[Any], None] = functools.partial(_carrier.sent.emit, self._number)

    def close(self) -> None:
        _open.pop(self._number, None)


class _Carrier(QtCore.QObject):
    sent = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        # Queued, also from this thread itself: whoever sends is not called back before it has gone on.
        self.sent.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def _deliver(self, number: int, message: object) -> None:
        take = _open.get(number)
        if take is not None:
            take(message)


_numbers = itertools.count()
_open: dict[int, Callable[[Any], None]] = {}
# Made with the plug-in, on the user interface's thread, and never let go.
_carrier = _Carrier()
