"""What a sampler is to the denoising loop."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

__all__ = ["Evaluation", "Sampler"]


@dataclass(frozen=True)
class Evaluation:
    """One call of the UNet. A step takes one, or two where the sampler is of second order.

    `timestep` is what the UNet is told; `reached` the share of the walk, 0..1, that lies behind the latents which come
    of it; `ends_step` whether a step is done with it.
    """

    timestep: float
    reached: float
    ends_step: bool


class Sampler(Protocol):
    """One walk from noise to latents. Evaluations are taken in order, each once.

    On the way latents are scaled as the sampler likes: ask `noise_only` and `noised` for them, and show the UNet what
    `model_input` makes of them. They end as the model's own.
    """

    evaluations: list[Evaluation]

    def noise_only(self, noise: torch.Tensor) -> torch.Tensor:
        """Standard normal `noise` as the latents that a walk of full strength begins with."""

    def noised(self, clean: torch.Tensor, noise: torch.Tensor, index: int) -> torch.Tensor:
        """`clean` at the noise level where evaluation `index` begins; clean itself past the last one."""

    def model_input(self, latents: torch.Tensor, index: int) -> torch.Tensor:
        """`latents` at the variance that the UNet was trained with, for evaluation `index`."""

    def step(
        self, prediction: torch.Tensor, latents: torch.Tensor, index: int, generators: Sequence[torch.Generator]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Takes evaluation `index`; returns the next latents and the present estimate of the clean ones.

        Noise, where the sampler adds any, is drawn for each picture from its own one of `generators`.
        """
