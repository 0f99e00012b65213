"""Training a LoRA: what scripts and hosts use of :class:`.bridge.Bridge` to train one on pictures."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, TypedDict

from ..protocol.messages import Rect
from .job import Job, JobUpdate, LoraJob, Pixels, TrainedLora
from .job_request import ProgressCallback, progress_only
from .pictures import read_picture
from .request import TrainRequest
from .waiting import wait_for

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["LoraTraining", "TrainOptions"]


class TrainOptions(TypedDict, total=False):
    """What may be asked besides, each as in :class:`~..protocol.messages.Train`."""

    checkpoint: str
    steps: int
    rank: int
    alpha: float
    resolution: int
    learning_rate: float
    batch: int
    seed: int
    on_disconnect: str


class LoraTraining:
    """Pictures as in :class:`.painting.Painting`, or :class:`.job.Pixels` as hosts have them."""

    def train_lora(
        self,
        images: Sequence[Any],
        name: str,
        *,
        caption: str = "",
        captions: Sequence[str] = (),
        on_progress: Optional[ProgressCallback] = None,
        timeout: Optional[float] = None,
        **options: Unpack[TrainOptions],
    ) -> TrainedLora:
        """Have the bridge learn what the pictures have in common, and wait for the LoRA. Raises as
        :meth:`start_training` and :meth:`.job.LoraJob.lora`; whatever ends the waiting, Ctrl-C too, cancels the job.
        """
        options = {"on_disconnect": "cancel", **options}
        hear = progress_only(on_progress)
        job = self.start_training(images, name, caption=caption, captions=captions, on_event=hear, **options)
        return wait_for(job, job.lora, timeout)

    def start_training(
        self,
        images: Sequence[Any],
        name: str,
        *,
        caption: str = "",
        captions: Sequence[str] = (),
        on_event: Optional[Callable[[JobUpdate], None]] = None,
        on_done: Optional[Callable[[Job], None]] = None,
        **options: Unpack[TrainOptions],
    ) -> LoraJob:
        """Have the bridge learn; returns at once. ``captions`` has one for each picture, or none at all; where it is
        empty, ``caption`` stands. The others are those of :class:`~..protocol.messages.Train`.

        Raises:
            TypeError: an option that there is not; pictures that cannot be read.
            ValueError: not as many captions as pictures.
            BridgeError: ``out_of_range``, ``picture_mismatch``: what can be told without the bridge.
            BridgeClosed: after :meth:`.bridge.Bridge.close`.
        """
        unknown = sorted(options.keys() - TrainOptions.__annotations__.keys())
        if unknown:
            raise TypeError(f"There is no option {unknown[0]!r}; there are {', '.join(TrainOptions.__annotations__)}.")
        if captions and len(captions) != len(images):
            raise ValueError(f"There are {len(captions)} captions for {len(images)} pictures.")
        job = LoraJob(
            uuid.uuid4().hex, cancel=self._cancel, may_block=self._may_block, on_event=on_event, on_done=on_done
        )
        request = TrainRequest.of(
            {"job": job.id, "name": name, "caption": caption, **options},
            [_pixels(image) for image in images],
            captions or [""] * len(images),
        )
        self._dispatch(job, request)
        return job

    # ------------------------------------------------------------ the host's side, of which this is made

    def _cancel(self, job: Job) -> None:
        raise NotImplementedError

    def _may_block(self) -> None:
        raise NotImplementedError

    def _dispatch(self, job: Job, request: TrainRequest) -> None:
        """Send a job."""
        raise NotImplementedError


def _pixels(image: Any) -> Pixels:
    if isinstance(image, Pixels):
        return image
    plane = read_picture(image)
    return plane.cut(Rect(0, 0, plane.width, plane.height))
