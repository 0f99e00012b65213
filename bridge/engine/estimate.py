"""How long a job will still take, from the steps it has taken."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["TimeLeft"]


class TimeLeft:
    """Measures one job's steps of denoising, or of learning. ``tail`` is what the last job took after its last step, or
    None.
    """

    def __init__(self, tail: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._expected_tail = tail
        self._base: tuple[int, float] | None = None
        self._last_step: float | None = None

    def __call__(self, stage: str, step: int, steps: int) -> float | None:
        """Seconds left for the whole job when ``step`` of ``steps`` of a stage are done; None while there is nothing to
        tell it from.
        """
        now = self._clock()
        if stage not in ("denoise", "learn"):
            if self._last_step is None or self._expected_tail is None:
                return None
            return max(0.0, self._expected_tail - (now - self._last_step))
        self._last_step = now
        # A job that did not fit into memory begins again.
        if self._base is None or step <= self._base[0]:
            self._base = (step, now)
            return None
        each = (now - self._base[1]) / (step - self._base[0])
        if step == 1:
            # The first step warms up what the others find warm: they are better measured without it.
            self._base = (1, now)
        return each * (steps - step) + (self._expected_tail or 0.0)

    def tail(self) -> float | None:
        """Seconds since the last denoising step, for the next job's estimate; None when there was none."""
        return None if self._last_step is None else self._clock() - self._last_step
