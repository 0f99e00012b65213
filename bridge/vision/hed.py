"""Xie and Tu 2015, "Holistically-Nested Edge Detection": five stages of VGG's, each of which says where edges are.

The names of tensors, and the mean of the five, are those of ControlNet's own network.
"""

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn.functional import interpolate, max_pool2d

from ..canvas.geometry import Size
from ..canvas.resample import resize
from ..canvas.types import FloatArray
from ..models import CheckpointUnreadable, Estimator
from ..models.tensor_file import read_header

__all__ = ["Hed", "load_hed", "soft_edges"]

# Its first features take 256 bytes for each pixel; less than 16 pixels its stages make nothing of.
_MOST_PIXELS, _LEAST_SIDE = 1 << 19, 16
# Channels of each stage's convolutions, and how many it has.
_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class _Stage(nn.Module):
    def __init__(self, channels: int, width: int, count: int) -> None:
        super().__init__()
        sides = [channels, *[width] * count]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(sides))
        self.projection = nn.Conv2d(width, 1, 1)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        for conv in self.convs:
            hidden = conv(hidden).relu()
        return hidden


class Hed(nn.Module):
    """Takes (n, 3, h, w), 0..255, RGB, of at least 16 pixels a side; gives (n, 1, h, w), 0..1."""

    def __init__(self, stages: tuple[tuple[int, int], ...] = _STAGES) -> None:
        """`stages` has the channels and the number of convolutions of each."""
        super().__init__()
        self.norm = nn.Parameter(torch.zeros(1, 3, 1, 1))
        channels = 3
        self._stages = []
        for number, (width, count) in enumerate(stages, 1):
            stage = _Stage(channels, width, count)
            self.add_module(f"block{number}", stage)
            self._stages.append(f"block{number}")
            channels = width

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        hidden, size = pixels - self.norm, pixels.shape[-2:]
        said = []
        for number, name in enumerate(self._stages):
            stage: Any = self.get_submodule(name)
            hidden = stage(max_pool2d(hidden, 2, ceil_mode=True) if number else hidden)
            said.append(interpolate(stage.projection(hidden), size, mode="bilinear", align_corners=False))
        return torch.stack(said).mean(dim=0).sigmoid()


def load_hed(files: Estimator) -> nn.Module:
    """The network, on the CPU, in float32. Raises CheckpointUnreadable where its weights are not all there."""
    from safetensors.torch import load_file

    (path,) = files.files
    shapes = read_header(path).shapes
    blocks = [f"block{number}.convs." for number in range(1, len(_STAGES) + 1)]
    network = Hed(
        tuple(
            (shapes[f"{block}0.bias"][0], sum(name.startswith(block) for name in shapes) // 2)
            for block in blocks
            if f"{block}0.bias" in shapes
        )
    )
    try:
        network.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    except RuntimeError as error:
        raise CheckpointUnreadable(
            "{name} is not HED as ControlNet has it: some of its weights are missing, or of another shape.",
            hint="Download or convert it again.",
            name=path.name,
        ) from error
    return network


def soft_edges(network: nn.Module, rgb: torch.Tensor) -> FloatArray:
    """Edges, (h, w), 0..1, the stronger the more, of a picture (3, h, w), 0..1. Large ones are looked at smaller."""
    size = Size(rgb.shape[2], rgb.shape[1])
    share = (_MOST_PIXELS / size.area) ** 0.5
    within = tuple(max(_LEAST_SIDE, round(side * min(1.0, share))) for side in size.shape)
    pixels = rgb[None]
    if within != size.shape:
        pixels = interpolate(pixels, within, mode="bilinear", antialias=True, align_corners=False)
    return resize(network(pixels * 255)[0, 0].cpu().numpy(), size)
