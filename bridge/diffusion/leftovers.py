"""Which tensors of a single file the conversion to diffusers' names leaves out, told exactly and by their own names."""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.loaders.single_file_utils import (
    convert_controlnet_checkpoint,
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)

__all__ = ["leftovers"]

_unet: Any = convert_ldm_unet_checkpoint
_vae: Any = convert_ldm_vae_checkpoint
_controlnet: Any = convert_controlnet_checkpoint
_clip: Any = convert_ldm_clip_checkpoint
_open_clip: Any = convert_open_clip_checkpoint


def leftovers(model: Any, tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """Those of the file's `tensors` that are nowhere in `model`, which was made from them.

    They are converted once more, each as its own number in place of its weights; the numbers that arrive at a place
    which the model has are those that were read.
    """
    names = list(tensors)
    numbered = {name: _stand_in(number, tensors[name]) for number, name in enumerate(names)}
    places = set(model.state_dict())
    converted = numbered if places >= set(names) else _converted(model, numbered)
    arrived = {
        int(tensor.flatten()[0])
        for place, tensor in converted.items()
        if tensor is not None and (place in places or place.removeprefix("text_model.") in places)
    }
    return [name for number, name in enumerate(names) if number not in arrived]


def _stand_in(number: int, tensor: torch.Tensor) -> torch.Tensor:
    """As long as the tensor along its first dimension, by which conversions cut, and no longer than 1 along others."""
    shape = (max(1, tensor.shape[0]) if tensor.dim() else 1, *[1] * (tensor.dim() - 1))
    return torch.tensor(float(number)).expand(shape)


def _converted(model: Any, numbered: dict[str, torch.Tensor]) -> Mapping[str, torch.Tensor | None]:
    kind = type(model).__name__
    if kind in ("UNet2DConditionModel", "AutoencoderKL", "ControlNetModel"):
        convert = {"UNet2DConditionModel": _unet, "AutoencoderKL": _vae, "ControlNetModel": _controlnet}[kind]
        found: Mapping[str, torch.Tensor | None] = convert(numbered, config=dict(model.config))
        return found
    prefix = next((name.partition(".model.")[0] + ".model." for name in numbered if ".model." in name), "")
    found = _clip(numbered) if any(".transformer.text_model." in name for name in numbered) else {}
    return found or _open_clip(model, numbered, prefix=prefix)
