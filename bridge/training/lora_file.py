"""A LoRA's file: kohya's naming, which every program reads, with the training's parameters in its metadata."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import nn

from ..errors import Sentence
from ..models import Checkpoint
from .errors import LoraNameUnusable
from .state import write_whole

__all__ = ["check_name", "lora_metadata", "write_lora"]

# Trainers' words for each family, in kohya's and in the modelspec standard's spelling.
_FAMILIES = {
    "SD1": ("sd_v1", "stable-diffusion-v1/lora"),
    "SD2": ("sd_v2", "stable-diffusion-v2/lora"),
    "SDXL": ("sdxl_base_v1-0", "stable-diffusion-xl-v1-base/lora"),
}
_NAME = re.compile(r"[\w][\w .()+-]{0,63}")


def check_name(name: str, folder: Path) -> Path:
    """Where a LoRA of that name goes in ``folder``. Raises ``LoraNameUnusable``, also for one that is taken."""
    if not _NAME.fullmatch(name) or name != name.strip(" ."):
        raise LoraNameUnusable(name, "a name has up to 64 letters, digits, spaces, and . ( ) + - _")
    path = folder / f"{name}.safetensors"
    if path.exists():
        raise LoraNameUnusable(name, Sentence("{path} is there already", path=path))
    return path


def write_lora(path: Path, unet: nn.Module, alpha: float, metadata: dict[str, str]) -> None:
    """Write the LoRA that ``unet`` has as its adapter, whole or not at all. Raises ``DiskFull``."""
    tensors: dict[str, Any] = {}
    for name, layer in unet.named_modules():
        if isinstance(layer, LoraLayer):
            module = f"lora_unet_{name.replace('.', '_')}"
            tensors[f"{module}.lora_down.weight"] = layer.lora_A["default"].weight
            tensors[f"{module}.lora_up.weight"] = layer.lora_B["default"].weight
            tensors[f"{module}.alpha"] = torch.tensor(float(alpha))
    write_whole(path, {name: tensor.detach().to("cpu", torch.float16) for name, tensor in tensors.items()}, metadata)


def lora_metadata(
    checkpoint: Checkpoint, name: str, caption: str, captions: Iterable[str], params: dict[str, object]
) -> dict[str, str]:
    """The safetensors metadata, by kohya's and the modelspec standard's keys, and all ``params`` by our names."""
    version, architecture = _FAMILIES[checkpoint.family.name]
    tags = Counter(tag.strip() for text in captions for tag in text.split(",") if tag.strip())
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(params["rank"]),
        "ss_network_alpha": str(params["alpha"]),
        "ss_base_model_version": version,
        "ss_sd_model_name": checkpoint.id,
        "ss_steps": str(params["steps"]),
        "ss_tag_frequency": json.dumps({"pictures": tags}),
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": architecture,
        "modelspec.title": name,
        "modelspec.trigger_phrase": caption,
        "paintbridge.training": json.dumps({"checkpoint_hash": checkpoint.hash, **params}, sort_keys=True),
    }
