"""FLUX.1's tensors in the original layout, Black Forest Labs' own, and where they are in diffusers' modules."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ..conversion import Tensors, convert_original

__all__ = ["convert", "original_names"]

_OUTSIDE_BLOCKS = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "final_layer.linear": "proj_out",
}
_DOUBLE_BLOCK = {
    "img_mod.lin": ("norm1.linear",),
    "txt_mod.lin": ("norm1_context.linear",),
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "img_attn.proj": ("attn.to_out.0",),
    "txt_attn.proj": ("attn.to_add_out",),
    "img_mlp.0": ("ff.net.0.proj",),
    "img_mlp.2": ("ff.net.2",),
    "txt_mlp.0": ("ff_context.net.0.proj",),
    "txt_mlp.2": ("ff_context.net.2",),
}
_SINGLE_BLOCK = {
    "modulation.lin": ("norm.linear",),
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    "linear2": ("proj_out",),
}
_NORMS = {
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
    "norm.query_norm": "attn.norm_q",
    "norm.key_norm": "attn.norm_k",
}
# Shift before scale there, and scale before shift here.
_FINAL_MODULATION = ("final_layer.adaLN_modulation.1", "norm_out.linear")


def original_names(transformer: Any) -> dict[str, tuple[str, ...]]:
    """The paths of the transformer's linear layers by their original names: of several, whose outputs one after the
    other are the original's. The last modulation, whose outputs change places, is left out.
    """
    names: dict[str, tuple[str, ...]] = {original: (path,) for original, path in _OUTSIDE_BLOCKS.items()}
    for original, path, inner in _blocks(transformer):
        names |= {f"{original}.{name}": tuple(f"{path}.{one}" for one in paths) for name, paths in inner.items()}
    return names


def convert(part: str, tensors: Tensors, module: nn.Module) -> Tensors:
    """The part's tensors under the names that diffusers' module has; those that it does not know are left out."""
    if part != "transformer":
        return tensors if part == "text_encoder_2" else convert_original(part, tensors, module)
    found: dict[str, torch.Tensor] = {}
    for original, paths in original_names(module).items():
        for kind in ("weight", "bias"):
            if (tensor := tensors.get(f"{original}.{kind}")) is not None:
                layers: list[Any] = [module.get_submodule(path) for path in paths]
                pieces = torch.split(tensor, [layer.out_features for layer in layers])
                found |= {f"{path}.{kind}": piece for path, piece in zip(paths, pieces, strict=True)}
    for original, path, _ in _blocks(module):
        for name, norm in _NORMS.items():
            if (tensor := tensors.get(f"{original}.{name}.scale")) is not None:
                found[f"{path}.{norm}.weight"] = tensor
    original, path = _FINAL_MODULATION
    for kind in ("weight", "bias"):
        if (tensor := tensors.get(f"{original}.{kind}")) is not None:
            shift, scale = tensor.chunk(2)
            found[f"{path}.{kind}"] = torch.cat([scale, shift])
    return found


def _blocks(transformer: Any) -> Iterator[tuple[str, str, Mapping[str, tuple[str, ...]]]]:
    """Each block: what it is called there and here, and the layers in it."""
    for number in range(len(transformer.transformer_blocks)):
        yield f"double_blocks.{number}", f"transformer_blocks.{number}", _DOUBLE_BLOCK
    for number in range(len(transformer.single_transformer_blocks)):
        yield f"single_blocks.{number}", f"single_transformer_blocks.{number}", _SINGLE_BLOCK
