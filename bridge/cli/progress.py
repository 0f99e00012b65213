"""Progress of a job or of a pull, on standard error: a bar where that is a terminal, nothing otherwise."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from ..protocol import messages
from ..protocol.messages import Queued, Stage, Started

__all__ = ["JobProgress", "pull_with_bar"]

_WORDS = {
    "load": "Loading the checkpoint",
    "infill": "Filling in from the surroundings",
    "encode": "Looking at the picture",
    "denoise": "Painting",
    "decode": "Developing",
    "compose": "Fitting in",
    "learn": "Learning",
    "estimate": "Making the map",
}
assert set(_WORDS) == set(Stage)


class JobProgress:
    """Shows a job's events. A context manager, so that the terminal is left as it was."""

    def __init__(self) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}"),
        )
        console = Console(file=sys.stderr)
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("Connecting", total=None, left="")

    def __enter__(self) -> JobProgress:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def say(self, words: str) -> None:
        """What is being done, without a measure."""
        self._bar.reset(self._task, description=words, total=None, left="")

    def show(self, event: object) -> None:
        """An event of the job; others are ignored."""
        if isinstance(event, Queued):
            self.say("Waiting" if event.position == 0 else f"Waiting, {event.position} before this")
        elif isinstance(event, Started):
            self.say("Starting")
        elif isinstance(event, messages.Progress):
            left = "" if event.seconds_left is None else f"{event.seconds_left:.0f} s left"
            self._bar.update(
                self._task, description=_WORDS[event.stage], total=event.steps, completed=event.step, left=left
            )


def pull_with_bar(hub_id: str, revision: str | None) -> Path:
    """:func:`bridge.models.pull.pull`, with a progress bar."""
    # Imported here: jobs need no hub.
    from ..models.pull import Step, pull

    console = Console(file=sys.stderr)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Asking the hub", total=None)

        def show(step: Step) -> None:
            bar.update(task, description=step.file, completed=step.done, total=step.total)

        return pull(hub_id, revision=revision, report=show)
