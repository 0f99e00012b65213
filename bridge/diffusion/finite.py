"""Where a model's numbers stop being numbers: NaN and infinities, found at the step that made them."""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

import torch

from ..models import Checkpoint
from ..models.errors import ModelsError
from .device import Device
from .model import WeightedLora

__all__ = ["ModelNotFinite", "ModelStep", "check_finite"]


class ModelStep(Enum):
    """What computes, in the words of a message."""

    TEXT_ENCODER = "text encoder"
    DENOISER = "denoiser"
    GUIDED = "denoiser, or a guide of its,"
    VAE = "VAE"


class ModelNotFinite(ModelsError):
    """A part of the checkpoint computed NaN or infinity; `half` says that it did so in half precision."""

    code = "model_not_finite"

    def __init__(self, message: str, *, hint: str, half: bool, **values: object) -> None:
        super().__init__(message, hint, **values)
        self.half = half


class _Loaded(Protocol):
    """What an error tells of a model."""

    @property
    def checkpoint(self) -> Checkpoint: ...

    @property
    def device(self) -> Device: ...

    @property
    def loras(self) -> Sequence[WeightedLora]: ...


def check_finite(values: torch.Tensor, step: ModelStep, model: _Loaded) -> None:
    """Raises ModelNotFinite where one of the values that a step of the model gave is NaN or infinite.

    Half precision ends at 65,504, beyond which some checkpoints' numbers lie; the VAE runs in float32 in any case.
    """
    if bool(values.isfinite().all()):
        return
    half = step is not ModelStep.VAE and model.device.torch_dtype != torch.float32
    name = model.checkpoint.id
    if step is ModelStep.VAE:
        hint = "Give it another VAE, by `vae` in checkpoints.toml (docs/checkpoints.md), or get the checkpoint again."
    elif model.loras:
        hint = "Take the LoRAs out of the prompt to see whether one of them is damaged; else get the checkpoint again."
    else:
        hint = "Its weights are damaged: get the checkpoint again, or choose another one."
    raise ModelNotFinite(
        "The {part} of {name} computed values that are no numbers, so there is no picture.",
        hint=hint,
        half=half,
        part=step.value,
        name=name,
    )
