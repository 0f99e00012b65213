"""How long a job will still take, from the steps it has taken."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["TimeLeft"]


class TimeLeft:
    """Measures one job's denoising steps. ``tail`` is what the last job took after its last step, or None.

    The first step is left out where there are more: it warms up what the others find warm.
    """

    def __init__(self, tail: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tail_before = tail
        self._first: tuple[int, float] | None = None
        self._last: tuple[int, float] | None = None

    def __call__(self, stage: str, step: int, steps: int) -> float | None:
        """Seconds left for the whole job when ``step`` of ``steps`` of a stage are done; None while there is nothing to
        tell it from.
        """
        now = self._clock()
        if stage != "denoise":
            if self._last is None or self._tail_before is None:
                return None
            return max(0.0, self._tail_before - (now - self._last[1]))
        if step > 0 and (self._first is None or step == 2):
            self._first = self._last if step == 2 and self._last else (step, now)
        self._last = (step, now)
        if self._first is None or step <= self._first[0]:
            return None
        each = (now - self._first[1]) / (step - self._first[0])
        return each * (steps - step) + (self._tail_before or 0.0)

    def tail(self) -> float | None:
        """Seconds since the last denoising step, for the next job's estimate; None when there was none."""
        return None if self._last is None else self._clock() - self._last[1]
