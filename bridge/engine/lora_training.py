"""Trains LoRAs for clients: a Train becomes a dataset and parameters, and the LoRA is listed among the others.

Importing this imports torch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..diffusion import Device
from ..errors import Sentence
from ..models import Checkpoint, LoraRegistry, Registry
from ..painter import Cancelled, Hooks
from ..protocol.messages import Train
from ..protocol.pixels import Buffer
from ..training.dataset import TrainingImage, training_image
from ..training.errors import LoraNameUnusable
from ..training.loop import Step
from ..training.lora import identity_of, native_resolution, train_lora
from ..training.lora_file import check_name
from ..training.lora_stage import LoraParams
from . import pictures
from .inputs import with_alpha
from .port import TaskTrained

__all__ = ["LoraTrainer"]

# Each is as large as three LoRAs in full precision: with SDXL some hundred MB.
_MOST_STATES = 4


@dataclass(frozen=True)
class LoraTrainer:
    """Trains on one device. ``home`` holds checkpoints, and in its `loras` what was trained."""

    registry: Registry
    loras: LoraRegistry
    device: Device
    home: Path

    def images(self, train: Train, data: Mapping[str, Buffer]) -> list[TrainingImage]:
        """The pictures, ready to be trained on.

        Raises:
            BridgeError: ``picture_mismatch picture_unreadable``; CanvasError; ModelsError; PictureUnusable.
        """
        checkpoint = self.registry.get(train.checkpoint)
        resolution = _resolution(train, checkpoint)
        return [
            training_image(
                Sentence("Picture {number}", number=number),
                with_alpha(pictures.decode(image.picture, data[image.picture.hash])),
                image.caption or train.caption,
                resolution,
                checkpoint.family.multiple,
            )
            for number, image in enumerate(train.images, 1)
        ]

    def train(self, train: Train, images: Sequence[TrainingImage], hooks: Hooks) -> TaskTrained:
        """Learn, and list the LoRA.

        Raises:
            Cancelled: the state is saved: the same job goes on from there.
            ModelsError, TrainingError: it cannot be learnt.
        """
        to = check_name(train.name, self.home / "loras")
        if any(entry.name.lower() == train.name.lower() for entry in self.loras.entries()):
            raise LoraNameUnusable(train.name, "there is one of that name")
        checkpoint = self.registry.get(train.checkpoint)
        params = LoraParams(
            name=train.name,
            caption=train.caption,
            rank=train.rank,
            alpha=train.rank if train.alpha is None else train.alpha,
            resolution=_resolution(train, checkpoint),
            steps=train.steps,
            learning_rate=train.learning_rate,
            batch=train.batch,
            seed=train.seed,
        )
        losses: list[float] = []
        begun = time.monotonic()
        timings: dict[str, float] = {}

        def prepared() -> None:
            timings["load"] = time.monotonic() - begun
            hooks.stage("load", 1, 1)

        def report(step: Step) -> None:
            losses.append(step.losses["loss"])
            hooks.stage("learn", step.step, step.steps)

        hooks.stage("load", 0, 1)
        trained = train_lora(
            checkpoint,
            self.device,
            images,
            params,
            state=self._state(identity_of(checkpoint, images, params)),
            to=to,
            check=hooks.check,
            prepared=prepared,
            report=report,
            stop=lambda: _cancelled(hooks),
        )
        if not trained.finished:
            raise Cancelled
        timings["learn"] = time.monotonic() - begun - timings["load"]
        before, after = _ends(losses)
        hints = () if after < before else ("The loss did not fall: the pictures may have little in common.",)
        return TaskTrained(self.loras.find(train.name).id, before, after, timings, hints)

    def _state(self, identity: str) -> Path:
        """Where the training's state lies. Of others that ended early the newest stay: clients may take turns."""
        path = self.home.parent / "training" / "asked" / f"{identity.split()[-1]}.safetensors"
        others = [other for other in path.parent.glob("*") if other != path]
        others.sort(key=lambda other: other.stat().st_mtime, reverse=True)
        for other in others[_MOST_STATES - 1 :]:
            other.unlink(missing_ok=True)
        return path


def _resolution(train: Train, checkpoint: Checkpoint) -> int:
    return train.resolution or native_resolution(checkpoint)


def _cancelled(hooks: Hooks) -> bool:
    try:
        hooks.check()
    except Cancelled:
        return True
    return False


def _ends(losses: Sequence[float]) -> tuple[float, float]:
    """The mean losses of the first tenth of the steps and of the last; 0 where an earlier training left none to do."""
    tenth = max(1, len(losses) // 10)
    return tuple(sum(part) / max(1, len(part)) for part in (losses[:tenth], losses[-tenth:]))  # type: ignore[return-value]
