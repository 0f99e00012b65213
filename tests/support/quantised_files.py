"""Quantised files as other programs write them, with the numbers that they stand for, made by other means than ours."""

import json
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import torch
from diffusers.quantizers.bfl.utils import dequantize_nvfp4, quantize_fp8r, quantize_nvfp4

__all__ = ["FORMATS", "Tensors", "save_gguf"]

Tensors = dict[str, torch.Tensor]
_FP8_MOST = 448.0


def _layers(tensors: Tensors) -> list[str]:
    """Those with matrices whose rows are multiples of 16 long, as quantisers choose them."""
    return [
        name.removesuffix(".weight")
        for name, one in tensors.items()
        if name.endswith(".weight") and one.dim() == 2 and one.shape[1] % 16 == 0 and "embed_tokens" not in name
    ]


def _each(
    tensors: Tensors, quantise: Callable[[torch.Tensor], tuple[Tensors, torch.Tensor]]
) -> tuple[Tensors, Tensors]:
    """What a file holds, and what it stands for, where each chosen weight becomes what `quantise` says."""
    stored, meant = dict(tensors), dict(tensors)
    for layer in _layers(tensors):
        beside, exact = quantise(tensors[f"{layer}.weight"].float())
        del stored[f"{layer}.weight"]
        stored |= {f"{layer}.{name}": one for name, one in beside.items()}
        meant[f"{layer}.weight"] = exact
    return stored, meant


def plain_fp8(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """All numbers, biases too."""
    stored = {name: one.to(torch.float8_e4m3fn) for name, one in tensors.items()}
    return stored, {name: one.float() for name, one in stored.items()}


def scaled_fp8(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """ComfyUI's of 2025: one scale a weight, and a marker."""

    def quantise(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
        scale = weight.abs().max() / _FP8_MOST
        number = (weight / scale).to(torch.float8_e4m3fn)
        return {"weight": number, "scale_weight": scale.reshape(1)}, number.float() * scale

    stored, meant = _each(tensors, quantise)
    return {**stored, "scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)}, meant


def comfy_fp8(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """ComfyUI's of 2026: the newer name, a scale for activations, and words on each layer."""

    def quantise(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
        scale = weight.abs().max() / _FP8_MOST
        number = (weight / scale).to(torch.float8_e4m3fn)
        beside = {
            "weight_scale": scale,
            "input_scale": torch.ones(()),
            "comfy_quant": _words({"format": "float8_e4m3fn"}),
        }
        return {"weight": number, **beside}, number.float() * scale

    return _each(tensors, quantise)


def bfl_fp8(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """Black Forest Labs': a scale for each row."""

    def quantise(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
        number, scale = quantize_fp8r(weight)
        return {"weight": number, "weight_scale": scale}, number.float() * scale[:, None]

    return _each(tensors, quantise)


def nvfp4(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """ModelOpt's layout, as Black Forest Labs use it."""

    def quantise(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
        number, scale, second = quantize_nvfp4(weight)
        beside = {"weight_scale": scale, "weight_scale_2": second, "input_scale": torch.ones(())}
        return {"weight": number, **beside}, dequantize_nvfp4(number, scale, second)

    return _each(tensors, quantise)


def int8(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """A scale for each row, no rotation."""

    def quantise(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
        scale = weight.abs().amax(dim=1, keepdim=True) / 127
        number = (weight / scale).round().to(torch.int8)
        beside = {"weight_scale": scale, "comfy_quant": _words({"format": "int8_tensorwise"})}
        return {"weight": number, **beside}, number.float() * scale

    return _each(tensors, quantise)


def convrot(tensors: Tensors) -> tuple[Tensors, Tensors]:
    """Rotated by groups of 16 inputs before rounding."""
    quarter = np.array([[1, 1, 1, -1], [1, 1, -1, 1], [1, -1, 1, 1], [-1, 1, 1, 1]]) / 2
    turn = torch.from_numpy(np.kron(quarter, quarter)).float()

    def rotated(weight: torch.Tensor) -> torch.Tensor:
        return torch.cat([part @ turn for part in weight.split(16, dim=1)], dim=1)

    def quantise(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
        turned = rotated(weight)
        scale = turned.abs().amax(dim=1, keepdim=True) / 127
        number = (turned / scale).round().to(torch.int8)
        said = {"format": "int8_tensorwise", "convrot": True, "convrot_groupsize": 16}
        return {"weight": number, "weight_scale": scale, "comfy_quant": _words(said)}, rotated(number.float() * scale)

    return _each(tensors, quantise)


def _words(said: dict) -> torch.Tensor:
    return torch.tensor(list(json.dumps(said).encode()), dtype=torch.uint8)


FORMATS = {one.__name__: one for one in (plain_fp8, scaled_fp8, comfy_fp8, bfl_fp8, nvfp4, int8, convrot)}
"""By name: what a file holds of these tensors, and what it stands for."""


def save_gguf(tensors: Tensors, path: Path, kind: str = "Q8_0", architecture: str = "flux") -> Tensors:
    """Writes a GGUF file, matrices in ggml's `kind` where their rows are whole blocks; returns what it stands for."""
    writer = gguf.GGUFWriter(path, architecture)
    number = gguf.GGMLQuantizationType[kind]
    block = gguf.GGML_QUANT_SIZES[number][0]
    meant = {}
    for name, tensor in tensors.items():
        values = tensor.float().numpy()
        if tensor.dim() == 2 and tensor.shape[1] % block == 0:
            stored = gguf.quants.quantize(values, number)
            writer.add_tensor(name, stored, raw_dtype=number)
            values = gguf.quants.dequantize(stored, number)
        else:
            writer.add_tensor(name, values)
        meant[name] = torch.from_numpy(np.array(values)).reshape(tensor.shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return meant
