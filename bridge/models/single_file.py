"""What a checkpoint in one safetensors file leaves unsaid: where its configs are, and what its UNet predicts."""

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import pstdev
from typing import Any

from .errors import CheckpointUnreadable, CheckpointUnsupported
from .family import Family
from .safetensors_header import SafetensorsHeader, read_floats

__all__ = ["CONFIGS", "check_parts", "configs_beside", "prediction_of_file"]

CONFIGS = Path(__file__).resolve().parent / "configs"
"""The families' configs, a folder each by the family's name, and CLIP's vocabulary in `clip`."""

_LAST_NORM = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"
_V_PREDICTION_SPREAD = 0.09
_MODELSPEC = {"epsilon": "epsilon", "v": "v_prediction"}
_WORDS = {"vae": "VAE", "unet": "UNet"}


def configs_beside(path: Path) -> Path | None:
    """The folder `NAME.config` beside `NAME.safetensors`, where there is one."""
    beside = path.with_name(f"{path.stem}.config")
    return beside if beside.is_dir() else None


def check_parts(family: Family, shapes: Mapping[str, Any]) -> None:
    """Raises CheckpointUnsupported where a part of the family has no tensors in the file."""
    for part in family.weighted_parts:
        if not any(name.startswith(family.file_prefixes[part]) for name in shapes):
            raise CheckpointUnsupported(
                f"This {family.title} file has no {_WORDS.get(part, part.replace('_', ' '))}.",
                hint="Get the whole checkpoint, which holds UNet, VAE and text encoder in one file.",
            )


def prediction_of_file(path: Path, header: SafetensorsHeader, family: Family, *, inpaint: bool) -> str:
    """What the UNet predicts: said by `NAME.config`, by a marker in the file, or by its metadata (modelspec).

    Nothing in the file of an SD2 of four channels need say it; there ComfyUI's rule of thumb tells (the last
    attention's norm is spread wider in those that predict v), and `NAME.config` overrules it.
    """
    beside = configs_beside(path)
    if beside is not None:
        return _said_beside(beside)
    if "v_pred" in header.shapes:
        return "v_prediction"
    said = header.metadata.get("modelspec.prediction_type")
    if said in _MODELSPEC:
        return _MODELSPEC[said]
    if family.v_told_by_spread and not inpaint and _LAST_NORM in header.shapes:
        return "v_prediction" if pstdev(read_floats(path, header, _LAST_NORM)) > _V_PREDICTION_SPREAD else "epsilon"
    return "epsilon"


def _said_beside(beside: Path) -> str:
    name = f"{beside.name}/scheduler/scheduler_config.json"
    try:
        said = json.loads((beside / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
        return str(said.get("prediction_type", "epsilon"))
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointUnreadable(f"{name} cannot be read.", hint="Mend or remove that folder.") from error
