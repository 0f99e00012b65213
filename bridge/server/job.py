"""One job as the server keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..protocol.messages import JobOrder, Picture, Train
from ..protocol.pixels import Buffer

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Job", "named_pictures"]


@dataclass(eq=False)
class Job:
    """A job that waits or runs.

    ``id`` is unique within the bridge, ``submit`` has its seed, strength and checkpoint filled in, ``pictures`` are
    pinned in the session until the job ends. ``position`` is the one that the client was told last. ``submitted`` and
    ``started`` are readings of the monotonic clock in seconds. ``cancelled`` says that its end was asked for while it
    ran, ``overrun`` how many of its steps were reported as done after that.
    """

    id: str
    session: Session
    submit: JobOrder
    pictures: Mapping[str, Buffer]
    submitted: float
    started: float | None = None
    position: int | None = None
    cancelled: bool = False
    overrun: int = 0

    @property
    def name(self) -> str:
        """The client's name for it."""
        return self.submit.job

    @property
    def session_id(self) -> str:
        return self.session.id


def named_pictures(submit: JobOrder) -> tuple[Picture, ...]:
    """The pictures that a job names."""
    if isinstance(submit, Train):
        return tuple(lesson.picture for lesson in submit.lessons)
    guiding = (
        part for condition in submit.settings.conditioning.conditions for part in (condition.picture, condition.mask)
    )
    return tuple(picture for picture in (submit.picture, submit.selection, *guiding) if picture is not None)
