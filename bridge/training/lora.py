"""Teaching a checkpoint, from an artist's pictures and wishes to a LoRA's file; :mod:`.lora_stage` is what learns."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from bridge.diffusion import Device, load
from bridge.diffusion.architectures.unet import UNetModel
from bridge.diffusion.device import is_out_of_memory
from bridge.models import Checkpoint
from bridge.models.distillation import distillation_of
from bridge.training.errors import CheckpointUnteachable, OutOfMemory
from bridge.training.lessons import Lesson
from bridge.training.loop import Schedule, Step, train
from bridge.training.lora_file import described, write_lora
from bridge.training.lora_stage import LoraStage, Wish

__all__ = ["Taught", "native_resolution", "teach"]


@dataclass(frozen=True)
class Taught:
    """How far it came, and the LoRA's file, which is written at the end only."""

    step: int
    finished: bool
    path: Path


def native_resolution(checkpoint: Checkpoint) -> int:
    """The edge of the square that the checkpoint paints best."""
    multiple = checkpoint.family.multiple
    return max(multiple, round(math.sqrt(checkpoint.card.native_pixels) / multiple) * multiple)


def teach(
    checkpoint: Checkpoint,
    device: Device,
    lessons: Sequence[Lesson],
    wish: Wish,
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
) -> Taught:
    """Teach the checkpoint what the lessons have in common, and write the LoRA to ``to``.

    Goes on from ``state``, if that is there and of the same training, and removes it at the end. ``check`` is called
    while parts are loaded and pictures encoded, ``report`` after each step: either ends it where it raises.
    ``prepared`` hears that the first step is next. Raises ``TrainingError`` and ``ModelsError``.
    """
    if distillation_of(checkpoint.path.name) is not None:
        raise CheckpointUnteachable(checkpoint.id)
    device = replace(device, dtype=_precision(device))
    try:
        model = load(checkpoint, device, check=check)
        if not isinstance(model, UNetModel) or model.guidance_embeds:
            raise CheckpointUnteachable(checkpoint.id)
        stage = LoraStage(model, lessons, wish, check=check)
        prepared()
        schedule = Schedule(
            steps=wish.steps,
            learning_rate=wish.learning_rate,
            warm_up=max(1, min(100, wish.steps // 10)),
            weight_decay=1e-2,
            average=0.0,
            seed=wish.seed,
        )
        trained = train(
            stage,
            schedule,
            state,
            identity=identity_of(checkpoint, lessons, wish),
            mixed_precision={"float16": "fp16", "bfloat16": "bf16"}.get(device.dtype, "no"),
            cpu=device.kind == "cpu",
            max_hours=max_hours,
            save_every=save_every,
            samples=samples,
            sample_every=max(1, wish.steps // 4),
            say=say,
            report=report,
            stop=stop,
        )
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory from error
    if trained.finished and trained.main:
        said: dict[str, object] = {**asdict(wish), "pictures": len(lessons)}
        header = described(checkpoint, wish.name, wish.caption, [lesson.caption for lesson in lessons], said)
        write_lora(to, stage.model.unet, wish.alpha, header)
        state.unlink(missing_ok=True)
    return Taught(trained.step, trained.finished, to)


def identity_of(checkpoint: Checkpoint, lessons: Sequence[Lesson], wish: Wish) -> str:
    """What tells a training from any other: checkpoint, pictures, captions, and all that was asked for but its name."""
    digest = hashlib.sha256(checkpoint.hash.encode())
    for lesson in lessons:
        for part in (lesson.pixels.tobytes(), lesson.coverage.tobytes(), lesson.caption.encode()):
            digest.update(hashlib.sha256(part).digest())
    digest.update(json.dumps({**asdict(wish), "name": ""}, sort_keys=True).encode())
    return f"lora {digest.hexdigest()}"


def _precision(device: Device) -> str:
    """bfloat16 where a GPU has it, for its range needs no scaling of losses; Apple's learns in full precision."""
    if device.kind == "cuda" and device.dtype == "float16" and torch.cuda.is_bf16_supported(including_emulation=False):
        return "bfloat16"
    return "float32" if device.kind == "mps" else device.dtype
