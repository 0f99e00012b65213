"""Callbacks from other threads to the user interface's thread.

The thread that drops the last reference to an object deletes it. Objects of Qt and Krita must not be deleted on other
threads: Krita would crash, at once or later. So threads hold no such object: what they send carries the callback's
number.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from .qt import Qt, QtCore, Signal

__all__ = ["QueuedCallback"]

T = TypeVar("T")


class QueuedCallback(Generic[T]):
    """Calls a function with each message, on the user interface's thread, by a queued connection. It holds the function
    until :meth:`close`; messages that arrive later are dropped. ``send`` may be called, and dropped, on any thread.
    """

    def __init__(self, callback: Callable[[T], object]) -> None:
        self._number = next(_numbers)
        _callbacks[self._number] = callback
        self.send: Callable[[T], None] = functools.partial(_dispatcher.sent.emit, self._number)

    def close(self) -> None:
        _callbacks.pop(self._number, None)


class _Dispatcher(QtCore.QObject):
    sent = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        # Queued also when sent from this thread: the callback never runs inside `send`.
        self.sent.connect(self._deliver, Qt.ConnectionType.QueuedConnection)

    def _deliver(self, number: int, message: object) -> None:
        callback = _callbacks.get(number)
        if callback is not None:
            callback(message)


_numbers = itertools.count()
_callbacks: dict[int, Callable[[Any], object]] = {}
# Created on the user interface's thread, when the plug-in is imported; never deleted.
_dispatcher = _Dispatcher()
