"""Waiting while GLib's main loop runs, so that GIMP's dialogs and progress bar stay responsive."""

from __future__ import annotations

import threading
from functools import partial
from typing import Callable, Generic, NoReturn, Optional, TypeVar

from gi.repository import GLib

__all__ = ["Finish", "Wait", "in_background", "on_main_thread"]

T = TypeVar("T")

# `typing.Callable`: that of collections.abc cannot be nested before Python 3.9.2.
Finish = Callable[[Callable[[], T]], None]
"""Ends a wait, from any thread, with what the given function will return or raise on the main thread."""


def on_main_thread(function: Callable[[], object]) -> None:
    """Call a function from the main loop. May be called on any thread."""

    def once() -> bool:
        function()
        return False

    GLib.idle_add(once)


class Wait(Generic[T]):
    """One wait. The first end counts."""

    def __init__(self) -> None:
        self._loop = GLib.MainLoop()
        self._outcome: Optional[Callable[[], T]] = None

    def until(self, start: Callable[[Finish[T]], None]) -> T:
        """Start something that calls :meth:`finish`, and wait for that."""
        start(self.finish)
        while self._outcome is None:
            self._loop.run()
        return self._outcome()

    def finish(self, outcome: Callable[[], T]) -> None:
        """End the wait."""
        on_main_thread(partial(self._end, outcome))

    def _end(self, outcome: Callable[[], T]) -> None:
        if self._outcome is None:
            self._outcome = outcome
            self._loop.quit()


def in_background(work: Callable[[], T]) -> T:
    """What ``work`` returns or raises. It runs on a thread of its own, where GIMP and GTK must not be called."""

    def start(finish: Finish[T]) -> None:
        def run() -> None:
            try:
                value = work()
            except Exception as error:  # noqa: BLE001 - raised again on the main thread
                finish(raising(error))
            else:
                finish(lambda: value)

        threading.Thread(target=run, daemon=True).start()

    return Wait[T]().until(start)


def raising(error: Exception) -> Callable[[], NoReturn]:
    """A function that raises the error."""

    def outcome() -> NoReturn:
        raise error

    return outcome
