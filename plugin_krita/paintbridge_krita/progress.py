"""A progress bar for the oldest job."""

from __future__ import annotations

from bridge.client.job import JobUpdate
from bridge.protocol import messages

from .painting import Painting
from .qt import QtWidgets
from .translation import _

__all__ = ["Progress"]

_IN_SECONDS = 120


class Progress(QtWidgets.QProgressBar):
    """Shows the stage, and the steps while the model denoises."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("paintbridge_progress")
        self._stages = {
            "load": _("Loading the checkpoint"),
            "infill": _("Filling in from the surroundings"),
            "encode": _("Looking at the picture"),
            "denoise": _("Painting"),
            "decode": _("Developing"),
            "compose": _("Fitting in"),
            "learn": _("Learning"),
            "estimate": _("Making the map"),
        }
        self._job: Painting | None = None
        self._waiting = 0
        self._words = ""
        self.hide()

    def show_for(self, job: Painting | None, waiting: int) -> None:
        """Another job is shown from now on, with others waiting behind it; None: none."""
        if job is not self._job:
            self._say(_("Reading the picture"))
        self._job, self._waiting = job, waiting
        self._write()
        self.setVisible(job is not None)

    def follow(self, event: JobUpdate) -> None:
        """An event of the job; others are ignored."""
        if isinstance(event, messages.Queued):
            words = _("Waiting; jobs before this one: {count}") if event.position else _("Waiting")
            self._say(words.format(count=event.position))
        elif isinstance(event, messages.Started):
            self._say(_("Starting"))
        elif isinstance(event, messages.Progress):
            words = self._stages.get(event.stage, event.stage)
            if event.seconds_left is not None:
                words = _left(words, round(event.seconds_left))
            measured = event.stage == "denoise"
            self._say(words, *((event.step, event.steps) if measured else ()))

    def _say(self, words: str, step: int = 0, steps: int = 1) -> None:
        self.setRange(0, steps)
        self.setValue(step)
        self._words = words
        self._write()

    def _write(self) -> None:
        job = self._job
        which = "" if job is None or job.count == 1 else f", {job.number}/{job.count}"
        more = f" (+{self._waiting})" if self._waiting else ""
        self.setFormat(self._words.replace("%", "%%") + which + more)


def _left(words: str, seconds: int) -> str:
    if seconds < _IN_SECONDS:
        return _("{stage}, {seconds} s left").format(stage=words, seconds=seconds)
    return _("{stage}, {minutes} min left").format(stage=words, minutes=round(seconds / 60))
