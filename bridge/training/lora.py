"""Trains a LoRA on a user's images and writes its file; :mod:`.lora_stage` is the stage that is trained."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from ..diffusion import Device, load
from ..diffusion.architectures.unet import UNetModel
from ..diffusion.device import is_out_of_memory
from ..models import Checkpoint
from ..models.distillation import distillation_of
from .dataset import TrainingImage
from .errors import CheckpointUntrainable, OutOfMemory
from .loop import Step, TrainingSchedule, train
from .lora_file import lora_metadata, write_lora
from .lora_stage import LoraParams, LoraStage

__all__ = ["TrainedLora", "native_resolution", "train_lora"]


@dataclass(frozen=True)
class TrainedLora:
    """How far the training is, and the LoRA's file, which is written at its end only."""

    step: int
    finished: bool
    path: Path


def native_resolution(checkpoint: Checkpoint) -> int:
    """The edge of the square that the checkpoint paints best."""
    multiple = checkpoint.family.multiple
    return max(multiple, round(math.sqrt(checkpoint.card.native_pixels) / multiple) * multiple)


def train_lora(
    checkpoint: Checkpoint,
    device: Device,
    dataset: Sequence[TrainingImage],
    params: LoraParams,
    *,
    state: Path,
    to: Path,
    check: Callable[[], None] = lambda: None,
    samples: Path | None = None,
    max_hours: float = math.inf,
    save_every: float = 300.0,
    say: Callable[[str], None] = lambda _: None,
    report: Callable[[Step], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
    prepared: Callable[[], None] = lambda: None,
) -> TrainedLora:
    """Train a LoRA of the checkpoint on the dataset, and write it to ``to``.

    Resumes from ``state``, if that exists and is of the same training, and removes it at the end. ``check`` is called
    while parts are loaded and images encoded, ``report`` after each step: either ends the training by raising.
    ``prepared`` is called before the first step. Raises ``TrainingError`` and ``ModelsError``.
    """
    if distillation_of(checkpoint.path.name) is not None:
        raise CheckpointUntrainable(checkpoint.id)
    device = replace(device, dtype=_precision(device))
    try:
        model = load(checkpoint, device, check=check)
        if not isinstance(model, UNetModel) or model.guidance_embeds:
            raise CheckpointUntrainable(checkpoint.id)
        stage = LoraStage(model, dataset, params, check=check)
        prepared()
        schedule = TrainingSchedule(
            steps=params.steps,
            learning_rate=params.learning_rate,
            warmup_steps=max(1, min(100, params.steps // 10)),
            weight_decay=1e-2,
            ema_decay=0.0,
            seed=params.seed,
        )
        trained = train(
            stage,
            schedule,
            state,
            identity=identity_of(checkpoint, dataset, params),
            mixed_precision={"float16": "fp16", "bfloat16": "bf16"}.get(device.dtype, "no"),
            cpu=device.kind == "cpu",
            max_hours=max_hours,
            save_every=save_every,
            samples=samples,
            sample_every=max(1, params.steps // 4),
            say=say,
            report=report,
            stop=stop,
        )
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory from error
    if trained.finished and trained.main:
        described: dict[str, object] = {**asdict(params), "pictures": len(dataset)}
        metadata = lora_metadata(
            checkpoint, params.name, params.caption, [image.caption for image in dataset], described
        )
        write_lora(to, stage.model.unet, params.alpha, metadata)
        state.unlink(missing_ok=True)
    return TrainedLora(trained.step, trained.finished, to)


def identity_of(checkpoint: Checkpoint, dataset: Sequence[TrainingImage], params: LoraParams) -> str:
    """A hash of all that the training depends on: checkpoint, images, captions, and the parameters but the name."""
    digest = hashlib.sha256(checkpoint.hash.encode())
    for image in dataset:
        for part in (image.pixels.tobytes(), image.coverage.tobytes(), image.caption.encode()):
            digest.update(hashlib.sha256(part).digest())
    digest.update(json.dumps({**asdict(params), "name": ""}, sort_keys=True).encode())
    return f"lora {digest.hexdigest()}"


def _precision(device: Device) -> str:
    """bfloat16 where a GPU has it, for its range needs no scaling of losses; Apple's trains in full precision."""
    if device.kind == "cuda" and device.dtype == "float16" and torch.cuda.is_bf16_supported(including_emulation=False):
        return "bfloat16"
    return "float32" if device.kind == "mps" else device.dtype
