"""The engine's port: what the server may ask of whoever runs the jobs and has the models.

Behind it stands one local worker process (:mod:`.local`); a pool on other machines could stand there as well.
Therefore a task holds everything that its job needs and no reference to anything of the server's; events stream back;
cancelling is a request by name, answered by the job's own last event; models are told of as plain data, worker by
worker (:mod:`.inventory`); and ``model_key`` lets a pool send a job to where its checkpoint is loaded already.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ..protocol.errors import BridgeError
from ..protocol.messages import DeviceInfo, JobOrder, Layer, Picture, Sampling, Stage, Train
from ..protocol.pixels import Buffer
from .inventory import Inventory

__all__ = [
    "Engine",
    "EngineEvent",
    "PullEvent",
    "PullFailed",
    "PullFinished",
    "PullProgress",
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
    """The layers, described; by their pictures' hashes the bytes, and a small picture of each (raw, 8 bit)."""

    layers: tuple[Layer, ...]
    pictures: Mapping[str, Buffer]
    reach: int
    timings: Mapping[str, float]
    hints: tuple[str, ...] = field(default=())
    thumbnails: Mapping[str, tuple[Picture, bytes]] = field(default_factory=dict)


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


@dataclass(frozen=True)
class PullProgress:
    """Bytes of the checkpoint's files that are there, and of all of them; 0 and 0 until that is known."""

    done: int
    total: int


@dataclass(frozen=True)
class PullFinished:
    """The checkpoint is there, and listed by this name."""

    checkpoint: str


@dataclass(frozen=True)
class PullFailed:
    """The checkpoint was not pulled; ``pull_stopped`` when somebody stopped it. The next pull of it goes on from
    there.
    """

    error: BridgeError


PullEvent = PullProgress | PullFinished | PullFailed


class Engine(Protocol):
    """Runs tasks, where the models are. ``slots`` says how many tasks at a time; the server's queue hands over no more
    than that. Workers have names, which devices and inventories go by.
    """

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

    async def devices(self) -> Mapping[str, DeviceInfo]:
        """Where the models run, by worker. Waits until that is known of at least one.

        Raises:
            BridgeError: ``worker_crashed`` when no worker can be started at all.
        """

    async def inventory(self, *, fresh: bool = False) -> tuple[Inventory, ...]:
        """What models there are, one inventory for each worker: as it was within the last second, or ``fresh``. Never
        waits for a worker to start, nor for a file to be hashed.

        Raises:
            BridgeError: ``shutting_down``.
        """

    def inventory_changes(self) -> AsyncGenerator[tuple[Inventory, ...], None]:
        """The inventories as they are, then again whenever one of them has changed. Closing the stream ends the
        watching; the stream itself ends when the engine is closed.
        """

    async def wildcard_options(self, name: str) -> tuple[str, ...]:
        """The options of the wildcard of that name, for prompts that are read before they are handed over.

        Raises:
            BridgeError: ``wildcard_unknown wildcard_unreadable shutting_down``.
        """

    def pull(self, name: str) -> AsyncGenerator[PullEvent, None]:
        """Fetch a recommended checkpoint, by its name among those. The stream begins with a :class:`PullProgress`, and
        ends with exactly one of :class:`PullFinished` and :class:`PullFailed`; closing it before that stops the pull.

        Raises, before the first event:
            BridgeError: ``pull_unknown``; ``pull_busy`` while another pull is under way; ``shutting_down``.
        """

    def stop_pull(self, name: str) -> None:
        """Ask for the end of a pull, which its stream tells.

        Raises:
            BridgeError: ``pull_unknown`` when that checkpoint is not being pulled.
        """

    async def close(self) -> None:
        """Stop whatever runs, and free everything."""
