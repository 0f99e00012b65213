"""Waiting for a job as scripts do: interruptible, for so long at most, and never leaving a job behind."""

from __future__ import annotations

import time
from typing import Callable, Optional, TypeVar

from .job import Job

__all__ = ["wait_for"]

T = TypeVar("T")

# On Windows nothing interrupts a wait: Ctrl-C is looked for in between.
_LOOK_SECONDS = 0.25


def wait_for(job: Job, outcome: Callable[[float], T], timeout: Optional[float]) -> T:
    """What ``outcome`` gives, which waits for some seconds. Whatever ends the waiting, Ctrl-C too, cancels the job.

    Raises:
        TimeoutError: after ``timeout`` seconds.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    try:
        while True:
            left = _LOOK_SECONDS if deadline is None else min(_LOOK_SECONDS, deadline - time.monotonic())
            try:
                return outcome(max(0.0, left))
            except TimeoutError:
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"The job has not ended within {timeout} seconds.") from None
    finally:
        if not job.done:
            job.cancel()
