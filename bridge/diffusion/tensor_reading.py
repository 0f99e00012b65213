"""The tensors of a part out of a file, safetensors or GGUF."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

from ..models.formats.quantisation import comfy_metadata
from ..models.tensor_file import read_header
from .dequantisation import StoredWeight, from_gguf, stored_weights

__all__ = ["FileTensors", "read_tensors"]


@dataclass(frozen=True)
class FileTensors:
    """A file's tensors by name: as they lie there, and quantised matrices."""

    plain: dict[str, torch.Tensor]
    stored: dict[str, StoredWeight]

    def widened(self, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """All of them as tensors, quantised ones in `dtype`."""
        return {**self.plain, **{name: one.widened(dtype) for name, one in self.stored.items()}}


def read_tensors(path: Path, prefix: str = "") -> FileTensors:
    """Those whose names begin with `prefix`, under what is left of their names; nothing else is read.

    Raises ValueError where scales do not fit weights.
    """
    header = read_header(path)
    names = [name for name in header.shapes if name.startswith(prefix)]
    if header.is_gguf:
        content = np.memmap(path, np.uint8, "c")
        read = {
            name.removeprefix(prefix): from_gguf(content[begin:end], kind, header.shapes[name])
            for name, (kind, begin, end) in ((name, header.places[name]) for name in names)
        }
        return FileTensors(
            {name: one for name, one in read.items() if isinstance(one, torch.Tensor)},
            {name: one for name, one in read.items() if isinstance(one, StoredWeight)},
        )
    with safe_open(path, framework="pt") as file:
        tensors = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    for name, said in comfy_metadata(header.metadata).items():
        if name.startswith(prefix):
            tensors.setdefault(name.removeprefix(prefix), torch.tensor(list(said), dtype=torch.uint8))
    return FileTensors(*stored_weights(tensors))
