"""Quantised weights as the numbers that they stand for, exactly.

Which formats there are, and what is beside a layer's weight, is told by `bridge.models.formats`, which checked it.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import torch

from ..models.formats.quantisation import COMFY, SCALES, read_comfy_quant

__all__ = ["dequantised", "from_gguf", "hadamard"]

_FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)
# OCP Microscaling Formats 1.0, section 5.3.3: E2M1 by its four bits, of which the highest is the sign.
_E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_NVFP4_BLOCK = 16
_FIRST_HADAMARD = ((1, 1, 1, -1), (1, 1, -1, 1), (1, -1, 1, 1), (-1, 1, 1, 1))


def dequantised(tensors: Mapping[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """A file's tensors with each quantised weight as numbers, rounded once, to `dtype`; without what was beside it.

    Raises ValueError where what lies beside a weight does not fit it.
    """
    scales = {name.removesuffix(end): one for end in SCALES for name, one in tensors.items() if name.endswith(end)}
    beside = (*SCALES, ".weight_scale_2", COMFY)
    found = {name: one for name, one in tensors.items() if not name.endswith(beside)}
    for layer, scale in scales.items():
        weight = found[f"{layer}.weight"]
        second, comfy = tensors.get(f"{layer}.weight_scale_2"), tensors.get(layer + COMFY)
        if weight.dtype is torch.uint8 and second is not None:
            found[f"{layer}.weight"] = _nvfp4(weight, scale, second).to(dtype)
            continue
        if weight.dtype not in (*_FLOAT8, torch.int8):
            raise ValueError(f"{layer} has a scale, and is not quantised")
        scaled = weight.float() * scale.float().reshape(-1, *[1] * (weight.dim() - 1))
        rotated = read_comfy_quant(bytes(comfy.tolist())).rotated if comfy is not None else 0
        found[f"{layer}.weight"] = (_rotated_back(scaled, rotated) if rotated else scaled).to(dtype)
    return found


def _nvfp4(weight: torch.Tensor, scale: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Two numbers a byte, the first in its lower half; (n, k / 2) bytes as (n, k) numbers."""
    values = torch.tensor((*_E2M1, *(-one for one in _E2M1)))
    numbers = values[torch.stack([weight & 15, weight >> 4], dim=-1).long()].flatten(1)
    return numbers * (scale.float() * second.float()).repeat_interleave(_NVFP4_BLOCK, dim=1)


@lru_cache(maxsize=4)
def hadamard(size: int) -> torch.Tensor:
    """ConvRot's rotation of `size` inputs, a power of 4: the Kronecker power of half a matrix of 4 x 4.

    It is symmetric and orthonormal, and so its own inverse.
    """
    first = torch.tensor(_FIRST_HADAMARD, dtype=torch.float32) / 2
    found = first
    while len(found) < size:
        found = torch.kron(found, first)
    if len(found) != size:
        raise ValueError(f"{size} is no power of 4")
    return found


def _rotated_back(weight: torch.Tensor, size: int) -> torch.Tensor:
    """(n, k), each group of `size` along k turned back."""
    return (weight.reshape(len(weight), -1, size) @ hadamard(size)).reshape(weight.shape)


def from_gguf(content: np.ndarray, kind: str, shape: tuple[int, ...]) -> torch.Tensor:
    """A tensor of ggml's `kind` from its bytes (n), float32 but for kinds that torch has.

    Raises ValueError for bytes that do not make up the shape.
    """
    # Seconds to import, and only GGUF needs it.
    from gguf import GGMLQuantizationType, dequantize

    plain = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    if kind in plain:
        return torch.from_numpy(content).view(plain[kind]).reshape(shape)
    numbers = dequantize(content, GGMLQuantizationType[kind])
    return torch.from_numpy(np.ascontiguousarray(numbers, np.float32)).reshape(shape)
