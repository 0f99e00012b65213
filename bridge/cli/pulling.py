"""A pull with a progress bar on standard error, where that is a terminal."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ..models.pull import Step, pull

__all__ = ["pull_with_bar"]


def pull_with_bar(hub_id: str, revision: str | None) -> Path:
    """:func:`bridge.models.pull.pull`, shown."""
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
