"""Random weights of LPIPS' shapes: a measure that knows nothing, but calls equal pictures equal."""

import torch

from bridge.training.lpips import CONVOLUTIONS

__all__ = ["random_lpips"]


def random_lpips() -> dict[str, torch.Tensor]:
    """What ``Lpips`` takes."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for index, (inputs, outputs, kernel, _, _) in enumerate(CONVOLUTIONS):
        scale = (inputs * kernel * kernel) ** -0.5
        tensors[f"convolutions.{index}.weight"] = (
            torch.randn(outputs, inputs, kernel, kernel, generator=generator) * scale
        )
        tensors[f"convolutions.{index}.bias"] = torch.randn(outputs, generator=generator) * 0.1
        tensors[f"heads.{index}"] = torch.rand(1, outputs, 1, 1, generator=generator)
    return tensors
