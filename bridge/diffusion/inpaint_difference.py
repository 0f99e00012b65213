"""Add-difference at work: how far a child's denoiser is from its base's, and the child's weights, made to inpaint."""

import math
import re
from collections.abc import Callable
from typing import Any

import torch

from ..models.parts import Layout, Part
from .conversion import Tensors
from .tensor_reading import read_tensors

__all__ = ["add_difference", "distance_between", "tensors_of"]

# The self- and cross-attention of the middle block, in diffusers' and in the original names.
_MEASURED = re.compile(
    r"(?:mid_block\.attentions\.0|middle_block\.1)\.(transformer_blocks\.\d+\.attn[12]\.to_[qkv]\.weight)"
)


def distance_between(child: Part, base: Part, *, check: Callable[[], None]) -> float:
    """The norm of the difference of two denoisers' weights over that of the base's, in the middle block's attention.

    Infinite where they are not of one shape. `check` is called for each tensor and may raise.
    """
    one, other = _measured(child), _measured(base)
    if not other or {name: tensor.shape for name, tensor in one.items()} != {
        name: tensor.shape for name, tensor in other.items()
    }:
        return math.inf
    apart = whole = 0.0
    for name, tensor in other.items():
        check()
        apart += float((one[name].float() - tensor.float()).square().sum(dtype=torch.float64))
        whole += float(tensor.float().square().sum(dtype=torch.float64))
    return math.sqrt(apart / whole) if whole else math.inf


def _measured(part: Part) -> dict[str, torch.Tensor]:
    found = {}
    for name, tensor in tensors_of(part).items():
        match = _MEASURED.fullmatch(name)
        if match is not None:
            found[match[1]] = tensor
    return found


def tensors_of(part: Part) -> Tensors:
    """A part's tensors as they lie on the disk, by their own names; they are read when they are looked at."""
    if part.layout is Layout.FILE:
        return read_tensors(part.path, part.prefix).widened(torch.float32)
    files = (file for file in part.files if file.suffix == ".safetensors")
    read = (read_tensors(file).widened(torch.float32) for file in files)
    return {name: tensor for one in read for name, tensor in one.items()}


def add_difference(
    module: Any, inpainting: Tensors, child: Tensors, base: Tensors, *, check: Callable[[], None]
) -> None:
    """Lays into an inpainting denoiser the child's weights: W_child + (W - W_base), and input channels that these lack.

    All are by the module's names, and `inpainting` are its own, at their full precision. In float64, where the
    difference of numbers in half precision is exact. `check` is called for each and may raise. Raises KeyError and
    ValueError where they do not fit.
    """
    for name, weight in module.state_dict().items():
        check()
        wide, own, of_base = (tensors[name].to(torch.float64) for tensors in (inpainting, child, base))
        if own.shape != of_base.shape:
            raise ValueError(f"{name} is {tuple(own.shape)} in the child and {tuple(of_base.shape)} in the base")
        if wide.dim() < 2:
            weight.copy_(wide - of_base + own)
        else:
            channels = own.shape[1]
            weight.copy_(torch.cat([wide[:, :channels] - of_base + own, wide[:, channels:]], dim=1))
