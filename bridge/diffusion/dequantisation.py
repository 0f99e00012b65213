"""Quantised weights: as their files have them, and as the numbers that they stand for, exactly.

Which formats there are, and what is beside a layer's weight, is told by `bridge.models.formats`, which checked it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from ..models.formats.quantisation import COMFY, SCALES, read_comfy_quant

__all__ = ["Scheme", "StoredWeight", "from_gguf", "hadamard", "stored_weights"]

_FLOAT8 = {torch.float8_e4m3fn: "float8_e4m3fn", torch.float8_e5m2: "float8_e5m2"}
_DTYPES = {name: dtype for dtype, name in _FLOAT8.items()} | {"int8": torch.int8}
_NVFP4 = "nvfp4"
# OCP Microscaling Formats 1.0, section 5.3.3: E2M1 by its four bits, of which the highest is the sign.
_E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_NVFP4_BLOCK = 16
_FIRST_HADAMARD = ((1, 1, 1, -1), (1, 1, -1, 1), (1, -1, 1, 1), (-1, 1, 1, 1))
_PLAIN = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True)
class Scheme:
    """How rows of bytes become rows of numbers.

    `kind` is a number type, "nvfp4", or one of ggml's. `rotated` is how many inputs were rotated together (ConvRot), 0:
    none; `second` is nvfp4's scale of the whole weight.
    """

    kind: str
    rotated: int = 0
    second: float = 1.0

    def widened(self, rows: torch.Tensor, scales: torch.Tensor | None, dtype: torch.dtype) -> torch.Tensor:
        """Rows (n, bytes) with their scales (n, 1) or (n, k / 16) as numbers (n, k), rounded once, to `dtype`."""
        if self.kind == _NVFP4:
            assert scales is not None
            return _from_nvfp4(rows, scales.float() * self.second).to(dtype)
        if self.kind not in _DTYPES:
            return _from_blocks(rows, self.kind).to(dtype)
        numbers = rows.view(_DTYPES[self.kind]).float()
        if scales is not None:
            numbers = numbers * scales
        if self.rotated:
            turn = hadamard(self.rotated).to(numbers.device)
            numbers = (numbers.reshape(len(numbers), -1, self.rotated) @ turn).reshape(numbers.shape)
        return numbers.to(dtype)


@dataclass(frozen=True)
class StoredWeight:
    """A matrix as its file has it: `rows` (n, bytes) uint8, and a scale for each or for each block of them, float."""

    rows: torch.Tensor
    scales: torch.Tensor | None
    scheme: Scheme

    def widened(self, dtype: torch.dtype) -> torch.Tensor:
        """As numbers, (n, k)."""
        return self.scheme.widened(self.rows, self.scales, dtype)


def stored_weights(tensors: Mapping[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, StoredWeight]]:
    """A file's plain tensors and its quantised matrices, both by name, without what was beside these.

    Raises ValueError where what lies beside a weight does not fit it.
    """
    scales = {name.removesuffix(end): one for end in SCALES for name, one in tensors.items() if name.endswith(end)}
    beside = (*SCALES, ".weight_scale_2", COMFY)
    plain = {name: one for name, one in tensors.items() if not name.endswith(beside)}
    stored = {}
    for layer, scale in scales.items():
        name = f"{layer}.weight"
        weight, second, comfy = plain[name], tensors.get(f"{layer}.weight_scale_2"), tensors.get(layer + COMFY)
        if weight.dtype is torch.uint8 and second is not None:
            stored[name] = StoredWeight(plain.pop(name), scale, Scheme(_NVFP4, second=float(second)))
            continue
        if weight.dtype is not torch.int8 and weight.dtype not in _FLOAT8:
            raise ValueError(f"{layer} has a scale, and is not quantised")
        kind = _FLOAT8.get(weight.dtype, "int8")
        rotated = read_comfy_quant(bytes(comfy.tolist())).rotated if comfy is not None else 0
        each = scale.float().reshape(-1, 1).expand(len(weight), 1)
        if weight.dim() == 2:
            stored[name] = StoredWeight(plain.pop(name).view(torch.uint8), each, Scheme(kind, rotated))
        else:
            plain[name] = weight.float() * scale.float().reshape(-1, *[1] * (weight.dim() - 1))
    return plain, stored


def _from_nvfp4(rows: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Two numbers a byte, the first in its lower half; (n, k / 2) bytes as (n, k) numbers."""
    values = torch.tensor((*_E2M1, *(-one for one in _E2M1)), device=rows.device)
    numbers = values[torch.stack([rows & 15, rows >> 4], dim=-1).long()].flatten(1)
    return numbers * scales.repeat_interleave(_NVFP4_BLOCK, dim=1)


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


def from_gguf(content: np.ndarray, kind: str, shape: tuple[int, ...]) -> torch.Tensor | StoredWeight:
    """A tensor of ggml's `kind` from its bytes (n); a matrix of blocks as it is stored.

    Raises ValueError for bytes that do not make up the shape.
    """
    if kind in _PLAIN:
        return torch.from_numpy(content).view(_PLAIN[kind]).reshape(shape)
    if len(shape) == 2 and kind in _block_kinds():
        return StoredWeight(torch.from_numpy(content).reshape(shape[0], -1), None, Scheme(kind))
    gguf = _gguf()
    numbers = gguf.dequantize(content, gguf.GGMLQuantizationType[kind])
    return torch.from_numpy(np.ascontiguousarray(numbers, np.float32)).reshape(shape)


def _from_blocks(rows: torch.Tensor, kind: str) -> torch.Tensor:
    """By diffusers' arithmetic, which runs on any device and gives bit by bit what ggml's authors' does."""
    read, block, size = _block_kinds()[kind]
    found: torch.Tensor = read(rows.reshape(-1, size), block, size, dtype=torch.float32)
    return found.reshape(len(rows), -1)


@lru_cache(maxsize=1)
def _block_kinds() -> dict[str, tuple[Any, int, int]]:
    """ggml's kinds that diffusers reads: what reads them, numbers of a block, bytes of a block."""
    # Seconds to import, and only GGUF needs them.
    from diffusers.quantizers.gguf.utils import dequantize_functions

    sizes = _gguf().GGML_QUANT_SIZES
    return {kind.name: (read, *sizes[kind]) for kind, read in dequantize_functions.items() if kind.name not in _PLAIN}


def _gguf() -> Any:
    import gguf

    return gguf
