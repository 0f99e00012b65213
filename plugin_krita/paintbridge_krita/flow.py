"""Long work on the user interface's thread in short steps, with what needs no Krita done on other threads in between.

The work is a generator: what it yields is either None, to go on when Krita has seen to the artist, or a function, which
is called on a thread of its own, and whose result the generator gets back.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any, Callable, Optional

from .qt import QtCore, Signal

__all__ = ["Flow", "Steps"]

Steps = Generator[Optional[Callable[[], Any]], Any, Any]


class Flow(QtCore.QObject):
    """Runs a generator. It ends with one of ``done``, with what the generator returned, and ``failed``; or with neither
    after :meth:`stop`.
    """

    done = Signal(object)
    failed = Signal(object)
    _worked = Signal(object, object)

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps: Steps | None = steps
        self._worked.connect(self._go_on)

    def start(self) -> None:
        """The first step comes when Krita has seen to the artist."""
        _under_way.add(self)
        self._soon()

    def stop(self) -> None:
        """End it where it is."""
        steps, self._steps = self._steps, None
        if steps is not None:
            steps.close()
            _under_way.discard(self)

    def _soon(self) -> None:
        QtCore.QTimer.singleShot(0, self._go_on)

    def _go_on(self, value: object = None, error: Exception | None = None) -> None:
        if self._steps is None:
            return
        try:
            work = self._steps.send(value) if error is None else self._steps.throw(error)
        except StopIteration as end:
            self._end(self.done, end.value)
        except Exception as failure:  # noqa: BLE001 - whoever started it shows it, whatever it is
            self._end(self.failed, failure)
        else:
            if work is None:
                self._soon()
            else:
                threading.Thread(target=self._work, args=(work,), name="paintbridge-work", daemon=True).start()

    def _end(self, signal: Any, outcome: object) -> None:
        self._steps = None
        _under_way.discard(self)
        signal.emit(outcome)

    def _work(self, work: Callable[[], Any]) -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - raised again where the generator waits
            self._worked.emit(None, error)
        else:
            self._worked.emit(result, None)


# Nobody else may hold them while they wait for a thread.
_under_way: set[Flow] = set()
