"""Coroutines on the user interface's thread: long work in short steps, between which Krita handles events.

The work is a generator. It yields either None, to continue after Krita has handled events, or a function that needs no
Krita: it is called on a thread of its own, and the generator gets its result.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Generator
from types import TracebackType
from typing import Any, Callable, Optional, TypeVar

from .qt import BoundSignal, QtCore, Signal
from .queued_callback import QueuedCallback

__all__ = ["CooperativeTask", "Steps"]

R = TypeVar("R")
# `typing.Callable`: that of collections.abc cannot be within an Optional before Python 3.9.2.
Steps = Generator[Optional[Callable[[], Any]], Any, R]

# What a worker thread returned, or raised.
_Answer = tuple[object, Optional[Exception]]


class CooperativeTask(QtCore.QObject):
    """Runs a generator. It ends with ``done`` (the generator's return value) or ``failed`` (the error), or with neither
    after :meth:`stop`. It stays alive while it runs.

    No step begins inside a step of another task: some of Krita's functions handle events before they return (adding a
    layer, activating it, creating a document and converting its colors).
    """

    done = Signal(object)
    failed = Signal(object)

    def __init__(self, steps: Steps[object]) -> None:
        super().__init__()
        self._steps: Steps[object] | None = steps
        self._stepping = False
        self._worked: QueuedCallback[_Answer] | None = None

    def start(self) -> None:
        """The first step runs after Krita has handled pending events."""
        self._worked = QueuedCallback(self._take)
        self._soon()

    def stop(self) -> None:
        """End it; during a step, after that step."""
        steps = self._end()
        if steps is not None and not self._stepping:
            steps.close()

    def _soon(self) -> None:
        QtCore.QTimer.singleShot(0, self._go_on)

    def _take(self, answer: _Answer) -> None:
        self._go_on(*answer)

    def _go_on(self, value: object = None, error: Exception | None = None) -> None:
        steps = self._steps
        if steps is None:
            return
        if _step_lock.held:
            _step_lock.waiting.append(functools.partial(self._go_on, value, error))
            return
        self._stepping = True
        try:
            with _step_lock:
                work = steps.send(value) if error is None else steps.throw(error)
        except StopIteration as end:
            self._tell(self.done, end.value)
        except Exception as failure:  # noqa: BLE001 - whoever started it shows it, whatever it is
            self._tell(self.failed, failure)
        else:
            self._go_on_after(steps, work)
        finally:
            self._stepping = False
            # The traceback holds this frame, and the frame the error: without this they would keep this object alive.
            del error

    def _go_on_after(self, steps: Steps[object], work: Callable[[], object] | None) -> None:
        if self._steps is None:
            # Stopped during the step: some of Krita's functions handle events.
            steps.close()
        elif work is None:
            self._soon()
        else:
            assert self._worked is not None
            answer = self._worked.send
            threading.Thread(target=_work, args=(work, answer), name="paintbridge-work", daemon=True).start()

    def _tell(self, signal: BoundSignal, outcome: object) -> None:
        if self._end() is not None:
            signal.emit(outcome)

    def _end(self) -> Steps[object] | None:
        steps, self._steps = self._steps, None
        if self._worked is not None:
            self._worked.close()
        return steps


class _StepLock:
    """A lock that is held during a step of any task; use it as a context manager. ``waiting`` run after that."""

    def __init__(self) -> None:
        self.held = False
        self.waiting: list[Callable[[], None]] = []

    def __enter__(self) -> None:
        self.held = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.held = False
        waiting, self.waiting = self.waiting, []
        for go_on in waiting:
            QtCore.QTimer.singleShot(0, go_on)


_step_lock = _StepLock()


def _work(work: Callable[[], object], answer: Callable[[_Answer], None]) -> None:
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - raised again where the generator waits
        answer((None, error))
    else:
        answer((result, None))
