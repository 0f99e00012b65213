"""The tensors of a part out of a file, safetensors or GGUF, as the numbers that they stand for."""

from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from ..models.formats.quantisation import comfy_metadata
from ..models.tensor_file import read_header
from .dequantisation import dequantised, from_gguf

__all__ = ["read_tensors"]


def read_tensors(path: Path, prefix: str, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Those whose names begin with `prefix`, under what is left of their names; nothing else is read.

    Quantised weights are in `dtype`, all others as they lie there. Raises ValueError where scales do not fit weights.
    """
    header = read_header(path)
    names = [name for name in header.shapes if name.startswith(prefix)]
    if header.is_gguf:
        content = np.memmap(path, np.uint8, "r")
        found = {}
        for name in names:
            kind, begin, end = header.places[name]
            found[name.removeprefix(prefix)] = from_gguf(content[begin:end], kind, header.shapes[name]).to(dtype)
        return found
    with safe_open(path, framework="pt") as file:
        tensors = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    for name, said in comfy_metadata(header.metadata).items():
        if name.startswith(prefix):
            tensors.setdefault(name.removeprefix(prefix), torch.tensor(list(said), dtype=torch.uint8))
    return dequantised(tensors, dtype)
