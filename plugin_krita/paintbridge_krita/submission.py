"""Submits a job on a thread of its own. Nothing here holds an object of Qt or Krita."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Any, Union

from bridge.client import Bridge, Job, JobResult
from bridge.client.job import JobUpdate

__all__ = ["Submission"]


class Submission:
    """``on_event`` gets the job's events, ``on_end`` its result or error. Both are called on other threads."""

    def __init__(
        self,
        bridge: Bridge,
        values: Mapping[str, Any],
        on_event: Callable[[JobUpdate], None],
        on_end: Callable[[Union[JobResult, Exception]], None],
    ) -> None:
        self._bridge = bridge
        self._values = values
        self._on_event = on_event
        self._on_end = on_end
        self._job: Job | None = None
        self._cancelled = False

    def start(self) -> None:
        """Pixels are hashed on the way: not on this thread."""
        threading.Thread(target=self._send, name="paintbridge-submit", daemon=True).start()

    def cancel(self) -> None:
        """End it, also where it has not been sent yet."""
        self._cancelled = True
        # In this order: a job that is being sent meanwhile sees that it is not wanted any more.
        if self._job is not None:
            self._job.cancel()

    def _send(self) -> None:
        try:
            # Not a method: the job would hold this object, which holds the job and all pixels.
            told = functools.partial(_report_end, self._on_end)
            job = self._bridge.submit(on_event=self._on_event, on_done=told, **self._values)
        except Exception as error:  # noqa: BLE001 - shown, whatever it is
            self._on_end(error)
            return
        self._job = job
        if self._cancelled:
            job.cancel()


def _report_end(on_end: Callable[[Union[JobResult, Exception]], None], job: Job) -> None:
    try:
        result = job.result()
    except Exception as error:  # noqa: BLE001 - shown, whatever it is
        on_end(error)
    else:
        on_end(result)
