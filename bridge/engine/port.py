"""The engine's port: what the server may ask of whoever runs the jobs.

Behind it stands one local worker process (:mod:`.local`); a pool on other machines could stand there as well.
Therefore a task holds everything that its job needs and no reference to anything of the server's; events stream back;
cancelling is a request by name, answered by the job's own last event; and ``model_key`` lets a pool send a job to
where its checkpoint is loaded already.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..protocol.errors import BridgeError
from ..protocol.messages import DeviceInfo, JobOrder, Layer, Sampling, Stage, Train
from ..protocol.pixels import Buffer

__all__ = [
    "Engine",
    "EngineEvent",
    "Task",
    "TaskCancelled",
    "TaskFailed",
    "TaskFinished",
    "TaskPreview",
    "TaskProgress",
    "TaskTrained",
    "picture_seeds",
]


def picture_seeds(sampling: Sampling) -> tuple[int, ...]:
    """The seed of each picture of a job that has its seed: they count up, and from the largest on to 0."""
    if sampling.seed is None:
        raise ValueError("The job came without a seed.")
    return tuple((sampling.seed + index) % (1 << 64) for index in range(sampling.batch))


@dataclass(frozen=True)
class Task:
    """One job, with all that it needs.

    ``id`` is unique within the engine. ``pictures`` holds the bytes of every picture that ``submit`` names, by hash.
    ``submit`` has its seed and its checkpoint filled in; ``model_key`` is the checkpoint's name.
    """

    id: str
    submit: JobOrder
    pictures: Mapping[str, Buffer]

    @property
    def model_key(self) -> str:
        order = self.submit
        return (order.checkpoint if isinstance(order, Train) else order.settings.checkpoint) or ""


@dataclass(frozen=True)
class TaskProgress:
    """``steps`` of a stage of which ``step`` are done; an estimate of the seconds left for the whole job, or None."""

    stage: Stage
    step: int
    steps: int
    seconds_left: float | None


@dataclass(frozen=True)
class TaskPreview:
    """RGB, u8, height x width x 3 bytes, to be stretched over the context."""

    step: int
    width: int
    height: int
    data: bytes


@dataclass(frozen=True)
class TaskFinished:
    """The layers, described, and the bytes of their pictures by hash."""

    layers: tuple[Layer, ...]
    pictures: Mapping[str, Buffer]
    reach: int
    timings: Mapping[str, float]
    hints: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class TaskTrained:
    """The LoRA that was learnt, by its name among the LoRAs, and the mean losses at the beginning and at the end."""

    lora: str
    loss_before: float
    loss: float
    timings: Mapping[str, float]
    hints: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class TaskFailed:
    """The job ended without a result."""

    error: BridgeError


@dataclass(frozen=True)
class TaskCancelled:
    """The job was cancelled and has stopped."""


EngineEvent = TaskProgress | TaskPreview | TaskFinished | TaskTrained | TaskFailed | TaskCancelled


class Engine(Protocol):
    """Runs tasks. ``slots`` says how many at a time; the server's queue hands over no more than that."""

    slots: int

    async def start(self) -> None:
        """Begin to start up; returns at once. Tasks may be submitted from then on."""

    def submit(self, task: Task) -> AsyncIterator[EngineEvent]:
        """Run a task. The stream ends with exactly one of :class:`TaskFinished`, :class:`TaskTrained`,
        :class:`TaskFailed`, :class:`TaskCancelled`; closing it before that cancels the task.

        Raises:
            BridgeError: ``job_exists`` for an id that is under way.
        """

    def cancel(self, task_id: str) -> None:
        """Ask for a task's end, at the next point where it can stop. Unknown and ended tasks are no error: they may
        just have ended.
        """

    def free(self) -> None:
        """Let go of what is loaded, after the jobs that are under way; the next one loads what it needs."""

    async def device(self) -> DeviceInfo:
        """Where the models run. Waits until that is known.

        Raises:
            BridgeError: ``worker_crashed`` when the worker cannot be started at all.
        """

    async def close(self) -> None:
        """Stop whatever runs, and free everything."""
