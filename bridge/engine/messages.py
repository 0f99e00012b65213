"""What the engine and its worker process say to each other over their pipe. Pixels go through :mod:`.shared` instead.

Jobs are named by numbers of the engine's own: a worker never sees the same one twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..protocol.messages import DeviceInfo, JobOrder, Layer, Picture
from .port import EngineEvent
from .shared import Segment

__all__ = [
    "Beat",
    "Begun",
    "Cancel",
    "Failed",
    "Finished",
    "Free",
    "Happened",
    "InputsRead",
    "Logged",
    "Ready",
    "ResultTaken",
    "Run",
    "Stop",
    "Unfit",
    "WorkerSettings",
]


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker needs to know. ``models`` are folders that hold checkpoints; ``device`` is ``auto`` or a kind of
    device; ``log_level`` is a level of :mod:`logging`.
    """

    models: tuple[str, ...] = ()
    default_checkpoint: str | None = None
    device: str = "auto"
    heartbeat_seconds: float = 1.0
    log_level: int = 20


# ---------------------------------------------------------------- engine to worker


@dataclass(frozen=True)
class Run:
    """Paint, or learn. ``inputs`` holds the pictures that ``submit`` names; layers go into a segment ``result``."""

    number: int
    submit: JobOrder
    inputs: Segment | None
    result: str


@dataclass(frozen=True)
class Cancel:
    """Stop this job at the next point where that is possible."""

    number: int


@dataclass(frozen=True)
class ResultTaken:
    """The engine has this job's layers; the worker may let go of them."""

    number: int


@dataclass(frozen=True)
class Free:
    """Let go of all that is loaded, once what was handed over before is done."""


@dataclass(frozen=True)
class Stop:
    """Stop what runs, and end."""


# ---------------------------------------------------------------- worker to engine


@dataclass(frozen=True)
class Beat:
    """The worker lives."""


@dataclass(frozen=True)
class Ready:
    """The worker has found its device, and takes jobs."""

    device: DeviceInfo


@dataclass(frozen=True)
class Unfit:
    """The worker cannot do what the settings ask for, and ends; another one could not either."""

    message: str
    hint: str


@dataclass(frozen=True)
class Begun:
    """The worker has turned to this job. Until then the job cannot be what ended the worker."""

    number: int


@dataclass(frozen=True)
class InputsRead:
    """The worker is done with this job's input segment."""

    number: int


@dataclass(frozen=True)
class Happened:
    """What the engine's caller is told of a job."""

    number: int
    event: EngineEvent


@dataclass(frozen=True)
class Finished:
    """A job is done; ``result`` holds its layers' pictures."""

    number: int
    layers: tuple[Layer, ...]
    result: Segment
    reach: int
    timings: Mapping[str, float]
    hints: tuple[str, ...] = field(default=())
    thumbnails: Mapping[str, tuple[Picture, bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """A job failed, in the words of a BridgeError (which itself does not survive pickling)."""

    number: int
    code: str
    message: str
    hint: str


@dataclass(frozen=True)
class Logged:
    """A line for the engine's log, formatted, the traceback included."""

    name: str
    level: int
    text: str
