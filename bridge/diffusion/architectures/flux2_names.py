"""FLUX.2's parts in Black Forest Labs' names, as their own files, ComfyUI's and most LoRAs have."""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from torch import nn

__all__ = ["convert", "original_names"]

Tensors = Mapping[str, torch.Tensor]

_convert_ldm_vae: Any = convert_ldm_vae_checkpoint

_OUTSIDE_BLOCKS = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "time_in.in_layer": "time_guidance_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_guidance_embed.timestep_embedder.linear_2",
    "double_stream_modulation_img.lin": "double_stream_modulation_img.linear",
    "double_stream_modulation_txt.lin": "double_stream_modulation_txt.linear",
    "single_stream_modulation.lin": "single_stream_modulation.linear",
    "final_layer.linear": "proj_out",
}
# Two streams: the picture's and the text's.
_DOUBLE_BLOCK = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "img_attn.proj": ("attn.to_out.0",),
    "img_mlp.0": ("ff.linear_in",),
    "img_mlp.2": ("ff.linear_out",),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "txt_attn.proj": ("attn.to_add_out",),
    "txt_mlp.0": ("ff_context.linear_in",),
    "txt_mlp.2": ("ff_context.linear_out",),
}
_SINGLE_BLOCK = {"linear1": ("attn.to_qkv_mlp_proj",), "linear2": ("attn.to_out",)}
_DOUBLE_NORMS = {
    "img_attn.norm.query_norm": "attn.norm_q",
    "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q",
    "txt_attn.norm.key_norm": "attn.norm_added_k",
}
_SINGLE_NORMS = {"norm.query_norm": "attn.norm_q", "norm.key_norm": "attn.norm_k"}
_PLACES = {"double_blocks": "transformer_blocks", "single_blocks": "single_transformer_blocks"}
_NORMS = {"double_blocks": _DOUBLE_NORMS, "single_blocks": _SINGLE_NORMS}
# There its outputs are shift and scale, and scale and shift in diffusers.
_FINAL_MODULATION = ("final_layer.adaLN_modulation.1.weight", "norm_out.linear.weight")
# The convolutions between the autoencoder's halves and its latents.
_VAE = {"encoder.quant_conv.": "quant_conv.", "decoder.post_quant_conv.": "post_quant_conv."}
_STATISTICS = "bn."


def original_names(transformer: Any) -> dict[str, tuple[str, ...]]:
    """The paths of the transformer's linear layers by their original names: of several, whose outputs one after the
    other are the original's. The last modulation, whose outputs change places, is left out.
    """
    names: dict[str, tuple[str, ...]] = {original: (path,) for original, path in _OUTSIDE_BLOCKS.items()}
    for kind, count, inner in _blocks(transformer):
        for number in range(count):
            for original, paths in inner.items():
                names[f"{kind}.{number}.{original}"] = tuple(f"{_PLACES[kind]}.{number}.{path}" for path in paths)
    return names


def convert(part: str, tensors: Tensors, module: nn.Module) -> Tensors:
    """The part's tensors under the names that diffusers' module has; those that it does not know are left out."""
    if part == "vae":
        lifted = {_lifted(name): one for name, one in tensors.items()}
        statistics = {name: one for name, one in lifted.items() if name.startswith(_STATISTICS)}
        return {**_convert_ldm_vae(lifted, config=dict(getattr(module, "config", {}))), **statistics}
    if part != "transformer":
        return tensors
    found: dict[str, torch.Tensor] = {}
    for original, paths in original_names(module).items():
        if f"{original}.weight" in tensors:
            pieces = tensors[f"{original}.weight"].chunk(len(paths))
            found |= {f"{path}.weight": piece for path, piece in zip(paths, pieces, strict=True)}
    for kind, count, _ in _blocks(module):
        for number in range(count):
            for original, path in _NORMS[kind].items():
                if (name := f"{kind}.{number}.{original}.scale") in tensors:
                    found[f"{_PLACES[kind]}.{number}.{path}.weight"] = tensors[name]
    original, place = _FINAL_MODULATION
    if original in tensors:
        shift, scale = tensors[original].chunk(2)
        found[place] = torch.cat([scale, shift])
    return found


def _blocks(transformer: Any) -> tuple[tuple[str, int, Mapping[str, tuple[str, ...]]], ...]:
    """The kinds of blocks, how many there are of each, and the layers in one."""
    return (
        ("double_blocks", len(transformer.transformer_blocks), _DOUBLE_BLOCK),
        ("single_blocks", len(transformer.single_transformer_blocks), _SINGLE_BLOCK),
    )


def _lifted(name: str) -> str:
    for before, after in _VAE.items():
        if name.startswith(before):
            return name.replace(before, after, 1)
    return name
