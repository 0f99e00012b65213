"""From the tensor names of original layouts to diffusers': which of them a module is made from, and which are left."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from diffusers.loaders.single_file_utils import (
    convert_controlnet_checkpoint,
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from torch import nn

__all__ = ["Convert", "Tensors", "convert_original", "leftovers", "named_as_in", "stand_in"]

Tensors = Mapping[str, torch.Tensor]

Convert = Callable[[str, Tensors, nn.Module], Tensors]
"""Gives a part's tensors the names that its module has.

It is given the part's name, its tensors without what begins their names in a file (`Part.prefix`), and the module
without weights, whose config may be asked. What it does not know it leaves out. It must do with tensors whose edges
after the first are 1, as `leftovers` passes them.
"""

_unet: Any = convert_ldm_unet_checkpoint
_vae: Any = convert_ldm_vae_checkpoint
_controlnet: Any = convert_controlnet_checkpoint
_clip: Any = convert_ldm_clip_checkpoint
_open_clip: Any = convert_open_clip_checkpoint

# CLIP's names as merging tools of 2022 wrote them.
_OLD_CLIP = re.compile(r"^transformer\.(?=embeddings\.|encoder\.|final_layer_norm\.)")
# What diffusers called a VAE's attention before 0.17.
_OLD_ATTENTION = re.compile(r"(mid_block\.attentions\.0\.)(query|key|value|proj_attn)(?=\.)")
_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def convert_original(part: str, tensors: Tensors, module: nn.Module) -> Tensors:  # noqa: ARG001
    """`Convert` for UNets and ControlNets of the Stable Diffusion line, KL autoencoders and CLIP's text encoders.

    Raises KeyError for a module of another class.
    """
    return _CONVERTERS[type(module).__name__](tensors, module)


def _converted_unet(tensors: Tensors, module: Any) -> Any:
    return _unet({f"model.diffusion_model.{name}": one for name, one in tensors.items()}, config=dict(module.config))


def _converted_vae(tensors: Tensors, module: Any) -> Any:
    return _vae(tensors, config=dict(module.config))


def _converted_controlnet(tensors: Tensors, module: Any) -> Any:
    return _controlnet(dict(tensors), config=dict(module.config))


def _converted_clip(tensors: Tensors, module: nn.Module) -> Tensors:
    if any(name.startswith("text_model.") for name in tensors):
        # By itself in a file, as transformers named it.
        return _without_wrapper(tensors, module)
    tensors = {_OLD_CLIP.sub("transformer.text_model.", name): one for name, one in tensors.items()}
    if any(name.startswith("transformer.text_model.") for name in tensors):
        return _without_wrapper(_clip(tensors, "transformer."), module)
    return _without_wrapper(_open_clip(module, tensors, prefix="model."), module)


_CONVERTERS: dict[str, Callable[[Tensors, Any], Tensors]] = {
    "UNet2DConditionModel": _converted_unet,
    "AutoencoderKL": _converted_vae,
    "ControlNetModel": _converted_controlnet,
    "CLIPTextModel": _converted_clip,
    "CLIPTextModelWithProjection": _converted_clip,
}


def _without_wrapper(tensors: Tensors, module: nn.Module) -> Tensors:
    # transformers 5.6 has CLIPTextModel without its inner `text_model`, and CLIPTextModelWithProjection with it.
    if hasattr(module, "text_model"):
        return tensors
    return {name.removeprefix("text_model."): one for name, one in tensors.items()}


def named_as_in(module: nn.Module, part: str, tensors: Tensors, convert: Convert) -> Tensors:
    """The tensors under the module's names: converted, unless they have these names already."""
    tensors = {_OLD_ATTENTION.sub(lambda old: old[1] + _ATTENTION[old[2]], name): one for name, one in tensors.items()}
    places = module.state_dict().keys()
    if places <= tensors.keys() or tensors.keys() <= places:
        return tensors
    return convert(part, tensors, module)


def leftovers(module: nn.Module, part: str, tensors: Tensors, convert: Convert) -> list[str]:
    """Those of the `tensors` that are nowhere in the module, which was made from them by `convert`.

    They are converted once more, each as its own number in place of its weights; the numbers that arrive at a place
    which the module has are those that were read.
    """
    numbered = {name: stand_in(number, tensor) for number, (name, tensor) in enumerate(tensors.items())}
    places = module.state_dict().keys()
    arrived = {
        int(tensor.flatten()[0])
        for place, tensor in named_as_in(module, part, numbered, convert).items()
        if place in places
    }
    return [name for number, name in enumerate(tensors) if number not in arrived]


def stand_in(number: int, tensor: torch.Tensor) -> torch.Tensor:
    """The number, as long as the tensor along its first dimension, by which conversions cut, and 1 along others."""
    shape = (max(1, tensor.shape[0]) if tensor.dim() else 1, *[1] * (tensor.dim() - 1))
    return torch.tensor(float(number)).expand(shape)
