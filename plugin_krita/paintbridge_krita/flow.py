"""Long work on the user interface's thread in short steps, with what needs no Krita done on other threads in between.

The work is a generator: what it yields is either None, to go on when Krita has seen to the artist, or a function, which
is called on a thread of its own, and whose result the generator gets back.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Generator
from types import TracebackType
from typing import Any, Callable, Optional

from .inbox import Inbox
from .qt import QtCore, Signal

__all__ = ["Flow", "Steps"]

Steps = Generator[Optional[Callable[[], Any]], Any, Any]


class Flow(QtCore.QObject):
    """Runs a generator. It ends with one of ``done``, with what the generator returned, and ``failed``; or with neither
    after :meth:`stop`. It lives as long as it runs, whoever else holds it.

    No step begins in the middle of another one's, of whichever flow: some of Krita's functions see to events before
    they return (adding a layer, making it the active one, making a document and converting its colours).
    """

    done = Signal(object)
    failed = Signal(object)

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps: Steps | None = steps
        self._stepping = False
        self._worked: Inbox | None = None

    def start(self) -> None:
        """The first step comes when Krita has seen to the artist."""
        self._worked = Inbox(self._take)
        self._soon()

    def stop(self) -> None:
        """End it where it is; in the middle of a step, after that."""
        steps = self._end()
        if steps is not None and not self._stepping:
            steps.close()

    def _soon(self) -> None:
        QtCore.QTimer.singleShot(0, self._go_on)

    def _take(self, answer: tuple[object, Exception | None]) -> None:
        self._go_on(*answer)

    def _go_on(self, value: object = None, error: Exception | None = None) -> None:
        steps = self._steps
        if steps is None:
            return
        if _turn.taken:
            _turn.waiting.append(functools.partial(self._go_on, value, error))
            return
        self._stepping = True
        try:
            with _turn:
                work = steps.send(value) if error is None else steps.throw(error)
        except StopIteration as end:
            self._tell(self.done, end.value)
        except Exception as failure:  # noqa: BLE001 - whoever started it shows it, whatever it is
            self._tell(self.failed, failure)
        else:
            self._go_on_after(steps, work)
        finally:
            self._stepping = False
            # Its traceback holds this call: with it, this object would be held by the error, and that by the call.
            del error

    def _go_on_after(self, steps: Steps, work: Callable[[], Any] | None) -> None:
        if self._steps is None:
            # It was stopped: some of Krita's functions see to events.
            steps.close()
        elif work is None:
            self._soon()
        else:
            answer = self._worked.send
            threading.Thread(target=_work, args=(work, answer), name="paintbridge-work", daemon=True).start()

    def _tell(self, signal: Any, outcome: object) -> None:
        if self._end() is not None:
            signal.emit(outcome)

    def _end(self) -> Steps | None:
        steps, self._steps = self._steps, None
        if self._worked is not None:
            self._worked.close()
        return steps


class _Turn:
    """Taken while a step of any flow is being made; use it as a context manager. ``waiting`` come after that."""

    def __init__(self) -> None:
        self.taken = False
        self.waiting: list[Callable[[], None]] = []

    def __enter__(self) -> None:
        self.taken = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.taken = False
        waiting, self.waiting = self.waiting, []
        for go_on in waiting:
            QtCore.QTimer.singleShot(0, go_on)


_turn = _Turn()


def _work(work: Callable[[], Any], answer: Callable[[Any], None]) -> None:
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - raised again where the generator waits
        answer((None, error))
    else:
        answer((result, None))
