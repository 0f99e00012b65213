"""A training's state on disk: weights, their moving average, the optimiser's moments and the step, as safetensors.

Batches are functions of seed and step (``compose.step_generator``), so this is all that an exact resume needs.
"""

import contextlib
import json
import os
import re
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import Sentence
from ..models.errors import NO_ROOM
from .errors import DiskFull, NotWritable, StateInvalid

__all__ = ["load", "save", "tensors_of", "write_whole"]


def save(
    path: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    averages: dict[str, Tensor],
    step: int,
    identity: str,
) -> None:
    """Write the state whole or not at all: to a file beside ``path``, then renamed over it.

    Raises ``DiskFull``, with the state before it untouched.
    """
    tensors: dict[str, Tensor] = {f"module.{name}": tensor for name, tensor in _trained(module).items()}
    tensors |= {f"average.{name}": tensor for name, tensor in averages.items()}
    for name, parameter in _trained(module).items():
        for moment, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{moment}.{name}"] = torch.as_tensor(value)
    write_whole(path, tensors, {"step": str(step), "identity": identity})


def write_whole(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all, whatever befalls the process or the machine meanwhile.

    Raises ``DiskFull`` and ``NotWritable``, with what was at ``path`` before untouched.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, partial, metadata=metadata)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        # safetensors tells the system's number in its words alone.
        told = re.search(r"os error (\d+)", str(error))
        number = getattr(error, "errno", None) or (int(told[1]) if told else 0)
        if number in NO_ROOM:
            raise DiskFull(path) from error
        raise NotWritable(path, os.strerror(number) if number else "safetensors refused it") from error


def load(
    path: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    averages: dict[str, Tensor],
    identity: str,
) -> int:
    """Read a state into what :func:`save` was given, in place, and return its step.

    Raises ``StateInvalid`` when it is damaged, or was made from another recipe.
    """
    tensors, metadata = tensors_of(path)
    if metadata.get("identity") != identity:
        raise StateInvalid(
            path,
            Sentence(
                "it was made as {metadata}, this is {identity}", metadata=metadata.get("identity"), identity=identity
            ),
        )
    trained = _trained(module)
    moments = sorted({name.split(".", 1)[0] for name in tensors} - {"module", "average"})
    try:
        with torch.no_grad():
            for name, parameter in trained.items():
                parameter.copy_(tensors[f"module.{name}"])
                if moments:
                    optimizer.state[parameter] = {
                        moment: tensors[f"{moment}.{name}"].to(parameter.device) for moment in moments
                    }
            for name, average in averages.items():
                average.copy_(tensors[f"average.{name}"])
    except (KeyError, RuntimeError) as error:
        raise StateInvalid(path, "its tensors are not this model's") from error
    return int(metadata["step"])


def tensors_of(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A state's tensors by name, and its metadata."""
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (OSError, SafetensorError, json.JSONDecodeError) as error:
        raise StateInvalid(path, "it is damaged or not a training state") from error


def _trained(module: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
