"""How far a job is, in GIMP's own progress bar."""

from __future__ import annotations

from gi.repository import Gimp

from bridge.client.job import JobUpdate
from bridge.protocol import messages

from .translation import _, ngettext

__all__ = ["Progress"]


class Progress:
    """Shows what is being done, with a bar while the model paints."""

    def __init__(self) -> None:
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
        Gimp.progress_init(_("Connecting to the bridge"))

    def say(self, words: str) -> None:
        """What is being done, without a measure."""
        Gimp.progress_set_text(words)
        Gimp.progress_pulse()

    def show(self, event: JobUpdate) -> None:
        """An event of the job; others are ignored."""
        if isinstance(event, messages.Queued):
            before = event.position
            words = ngettext("Waiting, {count} job before this", "Waiting, {count} jobs before this", before)
            self.say(words.format(count=before) if before else _("Waiting"))
        elif isinstance(event, messages.Started):
            self.say(_("Starting"))
        elif isinstance(event, messages.Progress):
            self._show_stage(event)

    def _show_stage(self, event: messages.Progress) -> None:
        words = [self._stages.get(event.stage, event.stage)]
        measured = event.stage == "denoise"
        if measured:
            words.append(_("step {step} of {steps}").format(step=event.step, steps=event.steps))
        if event.seconds_left is not None:
            words.append(_("{seconds} s left").format(seconds=round(event.seconds_left)))
        Gimp.progress_set_text(", ".join(words))
        if measured:
            Gimp.progress_update(event.step / event.steps)
        else:
            Gimp.progress_pulse()
