"""Z-Image's ControlNets (Alibaba PAI 2025, "Z-Image-Turbo-Fun-Controlnet-Union"): what their configs and tensors tell.

They are published in one file, in diffusers' names, without a config.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .tensor_file import FileHeader, read_bytes

__all__ = ["CLASS", "config_of_file", "inpaints", "is_file"]

CLASS = "ZImageControlNetModel"

_EMBEDDER = "control_all_x_embedder.2-1.weight"
_PATCH = 2 * 2
_LATENT_CHANNELS = 16
# Of the published Z-Image.
_LAYERS, _HEAD = 30, 128
_REFINERS = 2
_REFINER_START = "control_noise_refiner.0.before_proj.weight"


def is_file(shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a file's tensors are those of one."""
    return _EMBEDDER in shapes


def inpaints(config: Mapping[str, Any]) -> bool:
    """Whether it has channels for where a picture stays, and for the picture there."""
    return bool(config.get("control_in_dim", 0) > _LATENT_CHANNELS)


def config_of_file(path: Path, header: FileHeader) -> dict[str, Any]:
    """What a file tells of its config: versions 1 guide every fifth layer, 2 every second, a lite one every tenth.

    What is beside the noise refiner's blocks was not trained before version 2.1: all zeros, or not there.
    """
    shapes = header.shapes
    layers = len({name.split(".")[1] for name in shapes if name.startswith("control_layers.")})
    dim, per_patch = shapes[_EMBEDDER]
    config: dict[str, Any] = {
        "control_layers_places": list(range(0, _LAYERS, max(1, round(_LAYERS / max(1, layers))))),
        "control_in_dim": per_patch // _PATCH,
        "dim": dim,
        "n_heads": dim // _HEAD,
        "n_kv_heads": dim // _HEAD,
        "n_refiner_layers": _REFINERS,
    }
    if not inpaints(config):
        return {**config, "add_control_noise_refiner": None}
    refined = _REFINER_START in shapes and bool(read_bytes(path, header, _REFINER_START).strip(b"\0"))
    return {
        **config,
        "add_control_noise_refiner": "control_noise_refiner" if refined else "control_layers",
        "control_refiner_layers_places": list(range(_REFINERS)),
    }
