"""A job as its host sees it: events while it runs, a result at its end. Usable from any thread."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

from ..errors import Sentence
from ..protocol.messages import JobEvent, Person, Picture, Preview, Recipe, ReferenceRole
from ..protocol.pixels import DEPTH_BYTES, Buffer

__all__ = [
    "ConditionPixels",
    "Job",
    "JobResult",
    "JobUpdate",
    "LoraJob",
    "Outcome",
    "Pixels",
    "ResultLayer",
    "TrainedLora",
]

logger = logging.getLogger(__name__)

JobUpdate = Union[JobEvent, Preview]
_TYPES = {"u8": "|u1", "u16": "<u2", "f16": "<f2", "f32": "<f4"}


@dataclass(frozen=True)
class Pixels:
    """A picture to send: rows from top to bottom without padding, channels interleaved, little endian.

    ``data`` is anything with a contiguous buffer. It is not copied: leave it unchanged until the job has started.
    Colour (3 or 4 channels) is sRGB-encoded with straight alpha; one channel is linear coverage. ``depth`` is ``u8``,
    ``u16``, ``f16`` or ``f32``; ``encoding`` is ``raw``, ``png`` or ``webp``.
    """

    data: Buffer = field(repr=False)
    width: int
    height: int
    channels: int
    depth: str = "u8"
    encoding: str = "raw"


@dataclass(frozen=True)
class ConditionPixels:
    """Guidance by another picture, as :class:`~..protocol.messages.Condition`. For :meth:`.bridge.Bridge.submit`
    picture and mask are :class:`Pixels` of the context; for the calls of :class:`.painting.Painting` they are whole
    pictures as scripts hold them. The picture of a ``reference`` is whole, in any size.
    """

    kind: str
    picture: Any
    mask: Any = None
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    controlnet: Optional[str] = None
    role: Optional[ReferenceRole] = None
    name: Optional[str] = None


@dataclass(frozen=True)
class RegionPixels:
    """A prompt that counts within a mask, as :class:`~..protocol.messages.Region`; its mask is given as those of
    conditions are.
    """

    prompt: str
    mask: Any
    negative_prompt: Optional[str] = None


@dataclass(frozen=True)
class ResultLayer:
    """A generated picture: ``data`` holds the bytes that ``picture`` describes, to be put at ``x``, ``y`` of the
    canvas. Where alpha is 0 the host's pixels are untouched. ``numpy.asarray`` and ``PIL.Image.fromarray`` take it.
    ``people`` are those in a map of the kind ``pose``.
    """

    x: int
    y: int
    picture: Picture
    recipe: Recipe
    data: memoryview = field(repr=False)
    people: tuple[Person, ...] = ()

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """NumPy's array interface, version 3, over the same bytes.

        Raises:
            AttributeError: for a layer that was wanted as PNG or WebP.
        """
        picture = self.picture
        if picture.encoding != "raw":
            raise AttributeError(f"This layer is a {picture.encoding} file, not an array.")
        size = DEPTH_BYTES[picture.depth]
        row = picture.channels * size
        return {
            "version": 3,
            "shape": (picture.height, picture.width, picture.channels),
            "typestr": _TYPES[picture.depth],
            # Named, though they are the usual ones: Pillow then asks for `tobytes`, and for no buffer of this object.
            "strides": (picture.width * row, row, size),
            "data": self.data,
        }

    def tobytes(self) -> bytes:
        """The pixels' bytes."""
        return bytes(self.data)


@dataclass(frozen=True)
class JobResult:
    """What a job has made. ``reach``: how far beyond the selection alpha reaches, in pixels; ``timings``: seconds by
    stage; ``hints``: what the artist should know; ``entries``: each layer's in the library, by their ids, or none.
    """

    job: str
    layers: tuple[ResultLayer, ...]
    reach: int
    timings: Mapping[str, float]
    hints: tuple[Sentence, ...]
    entries: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainedLora:
    """What a training has made: a LoRA, which prompts name as ``<lora:NAME:1>``. ``loss_before`` and ``loss`` are the
    means of the first tenth of the steps and of the last.
    """

    job: str
    name: str
    loss_before: float
    loss: float
    timings: Mapping[str, float]
    hints: tuple[Sentence, ...]


Outcome = Union[JobResult, TrainedLora]


class Job:
    """One job that was submitted. Made by :meth:`.bridge.Bridge.submit`.

    ``on_event`` and ``on_done`` are called on the client's thread, and must return soon: a host hands over to its own
    thread there. ``on_done`` is called exactly once, whatever the end.
    """

    def __init__(
        self,
        job_id: str,
        *,
        cancel: Callable[[Job], None],
        may_block: Callable[[], None],
        on_event: Optional[Callable[[JobUpdate], None]] = None,
        on_done: Optional[Callable[[Job], None]] = None,
    ) -> None:
        self.id = job_id
        self._cancel = cancel
        self._may_block = may_block
        self._on_event = on_event
        self._on_done = on_done
        self._changed = threading.Condition()
        self._updates: deque[JobUpdate] = deque()
        self._outcome: Union[Outcome, Exception, None] = None

    @property
    def done(self) -> bool:
        """Whether the job has ended, in whichever way."""
        return self._outcome is not None

    def cancel(self) -> None:
        """Ask for the job's end. Returns at once; the job then ends as cancelled, unless its result was faster."""
        self._cancel(self)

    def events(self) -> Iterator[JobUpdate]:
        """What happens to the job, as it happens, up to its end. For one reader; of previews that it has not come to
        yet, only the latest is kept. The ``result`` event comes when its pictures are here.

        Raises:
            RuntimeError: on the client's own thread.
        """
        self._may_block()
        while True:
            with self._changed:
                while not self._updates and self._outcome is None:
                    self._changed.wait()
                if not self._updates:
                    return
                update = self._updates.popleft()
            yield update

    def result(self, timeout: Optional[float] = None) -> JobResult:
        """Wait for the layers.

        Raises:
            BridgeError: the bridge refused the job, or it failed there; ``session_unknown`` when the bridge was
                restarted meanwhile, ``session_dropped`` when it gave up waiting for this client: submit it again.
            JobCancelled: it was cancelled.
            ClientError: the connection is gone for good.
            TimeoutError: after ``timeout`` seconds; the job goes on.
            RuntimeError: on the client's own thread, before the job's end.
        """
        outcome = self._wait(timeout)
        assert isinstance(outcome, JobResult)
        return outcome

    def _wait(self, timeout: Optional[float]) -> Outcome:
        if self._outcome is None:
            self._may_block()
        with self._changed:
            if not self._changed.wait_for(lambda: self._outcome is not None, timeout):
                raise TimeoutError(f"The job has not ended within {timeout} seconds.")
        assert self._outcome is not None
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    # ------------------------------------------------------------ the client's side

    def update(self, event: JobUpdate) -> None:
        """Something has happened. Called on the client's thread."""
        with self._changed:
            if self._outcome is not None:
                return
            self._enqueue(event)
        self._call_back(self._on_event, event)

    def end(self, outcome: Union[Outcome, Exception], event: Optional[JobUpdate] = None) -> None:
        """The job has ended, with ``event`` where the bridge sent one. The first end counts. Called on the client's
        thread.
        """
        with self._changed:
            if self._outcome is not None:
                return
            if event is not None:
                self._enqueue(event)
            self._outcome = outcome
            self._changed.notify_all()
        if event is not None:
            self._call_back(self._on_event, event)
        self._call_back(self._on_done, self)

    def _enqueue(self, event: JobUpdate) -> None:
        if isinstance(event, Preview):
            self._updates = deque(update for update in self._updates if not isinstance(update, Preview))
        self._updates.append(event)
        self._changed.notify_all()

    def _call_back(self, callback: Optional[Callable[..., None]], argument: object) -> None:
        if callback is None:
            return
        try:
            callback(argument)
        except Exception:
            # The host's fault must not end the connection, which serves its other jobs.
            logger.exception("A callback of job %s failed", self.id)


class LoraJob(Job):
    """A training. Made by :meth:`.lora_training.LoraTraining.start_training`."""

    def lora(self, timeout: Optional[float] = None) -> TrainedLora:
        """Wait for the LoRA. Raises as :meth:`Job.result`."""
        outcome = self._wait(timeout)
        assert isinstance(outcome, TrainedLora)
        return outcome
