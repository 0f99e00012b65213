"""The requests of this API that are under way: how far they are, and how they are stopped.

`interrupt` and `skip` name no job there: they stop the one that `progress` shows, and no other client's.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ....protocol.messages import Preview, Progress, Started
from ..in_process import Happened

__all__ = ["Run", "Runs"]


@dataclass(eq=False)
class Run:
    """One request: ``rounds`` jobs, one after the other. ``turn`` counts the jobs of all requests that have started, up
    to the one that this request is at; 0: that one waits.
    """

    name: str
    rounds: int
    steps: int
    turns: Iterator[int] = field(default_factory=itertools.count, repr=False)
    job: str = ""
    round: int = 0
    step: int = 0
    turn: int = 0
    seconds_left: float | None = None
    preview: Preview | None = None
    interrupted: bool = False
    skipped: bool = False
    since: datetime = field(default_factory=datetime.now)

    def begin(self, job: str, number: int) -> None:
        """The next job."""
        self.job, self.round, self.step, self.turn = job, number, 0, 0
        self.seconds_left, self.preview, self.skipped = None, None, False

    def follow(self, event: Happened) -> None:
        """Something happened to the job."""
        if isinstance(event, Started):
            self.turn = next(self.turns)
        elif isinstance(event, Preview):
            self.preview = event
        elif isinstance(event, Progress):
            self.seconds_left = event.seconds_left
            if event.stage == "denoise":
                self.step, self.steps = event.step, event.steps

    @property
    def share(self) -> float:
        """How much is done, 0..1."""
        return min(1.0, (self.round + self.step / max(1, self.steps)) / self.rounds)


class Runs:
    """Those that are under way, in the order of their coming."""

    def __init__(self, stop: Callable[[str], None]) -> None:
        """``stop`` stops a job."""
        self._stop = stop
        self._runs: list[Run] = []
        self._turns = itertools.count(1)

    @contextlib.contextmanager
    def run(self, name: str, rounds: int, steps: int) -> Iterator[Run]:
        """A request that has come, until it is answered."""
        run = Run(name, rounds, steps, self._turns)
        self._runs.append(run)
        try:
            yield run
        finally:
            self._runs.remove(run)

    def interrupt(self) -> None:
        """End the current request; it is answered with what is done."""
        run = self.current
        if run is not None:
            run.interrupted = True
            self._stop(run.job)

    def skip(self) -> None:
        """End the job that the current request is at; it goes on with the next."""
        run = self.current
        if run is not None:
            run.skipped = True
            self._stop(run.job)

    @property
    def current(self) -> Run | None:
        """The one whose job was the last to start, or that will be next: one job is done at a time."""
        return max(self._runs, key=lambda run: run.turn, default=None)

    def state(self) -> dict[str, Any]:
        """The answer to `progress`, all but its picture."""
        run = self.current
        idle = run is None
        run = run or Run("", 0, 0)
        return {
            "progress": 0.0 if idle else run.share,
            "eta_relative": run.seconds_left or 0.0,
            "state": {
                "skipped": run.skipped,
                "interrupted": run.interrupted,
                "stopping_generation": False,
                "job": run.name,
                "job_count": run.rounds,
                "job_timestamp": "0" if idle else run.since.strftime("%Y%m%d%H%M%S"),
                "job_no": run.round,
                "sampling_step": run.step,
                "sampling_steps": run.steps,
            },
            "current_image": None,
            "textinfo": None,
        }
