"""What samplers may know of a noise schedule.

Timesteps are spaced evenly and end at zero noise ("trailing", Lin et al. 2023, "Common Diffusion Noise Schedules and
Sample Steps are Flawed"), which suits every schedule and is needed by those with zero terminal SNR.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import torch

from ...models.schedule import Prediction, ScheduleKind

__all__ = ["NoiseLevel", "NoiseSchedule", "trailing_positions"]


@dataclass(frozen=True)
class NoiseLevel:
    """Latents at one place of a schedule: (signal_scale * clean + noise_scale * noise) / norm."""

    signal_scale: float
    noise_scale: float
    norm: float = 1.0

    def add_noise(self, clean: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """`clean` latents at this level, with standard normal `noise` of their shape."""
        return (self.signal_scale * clean + self.noise_scale * noise) / self.norm


class NoiseSchedule(Protocol):
    """The noise schedule that a denoiser was trained with.

    A *timestep* falls from `train_steps` at pure noise to 0; it may have a fraction. A *sigma* is the same place in the
    unit in which the samplers' differential equation is d latents / d sigma = (latents - clean) / sigma: noise to
    signal on variance-preserving schedules, the share of noise along a flow. What the denoiser is told is a third
    thing, `model_timestep`.
    """

    @property
    def kind(self) -> ScheduleKind:
        """Which samplers take it: `bridge.models.samplers.samplers_for`."""

    @property
    def prediction(self) -> Prediction:
        """What the denoiser predicts."""

    @property
    def train_steps(self) -> int:
        """How many timesteps the denoiser was trained with."""

    def for_image(self, image_seq_len: int, steps: int) -> Self:
        """The schedule for latents of that many tokens, in that many steps at strength 1; itself where neither counts.

        A schedule that is shifted by the sequence length knows no timesteps before.
        """

    def timesteps(self, *, steps: int, strength: float) -> Sequence[float]:
        """Where the steps begin, falling, for `steps` at strength 1 and their share below; 0 < strength <= 1.

        Continuous in strength: the first lies at that part of the schedule, and there are just as many of the `steps`
        as keep them no longer than at strength 1. Where strength * steps is whole, these are the last ones of the list
        at strength 1.
        """

    def sigmas_at(self, timesteps: Sequence[float] | np.ndarray) -> np.ndarray:
        """The sigmas at timesteps."""

    def timesteps_at(self, sigmas: np.ndarray) -> np.ndarray:
        """The timesteps at sigmas, with a fraction."""

    def model_timestep(self, timestep: float) -> float:
        """What the denoiser is told at a timestep."""

    def level(self, sigma: float) -> NoiseLevel:
        """How latents are noised at a sigma, at the scale at which the denoiser sees them."""

    def solver_level(self, sigma: float) -> NoiseLevel:
        """The same at the scale at which the differential equation above holds."""

    def split(
        self, prediction: torch.Tensor, model_input: torch.Tensor, level: NoiseLevel
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The clean latents and the noise that the denoiser sees in its input, which is at `level`."""

    def scheduler(self, kind: Any, **options: Any) -> Any:
        """One of diffusers' schedulers, an instance of the class `kind`, for this schedule."""


def trailing_positions(steps: int, strength: float) -> np.ndarray:
    """Where steps begin, as parts of the whole schedule: `strength` first, falling evenly towards 0."""
    count = max(1, math.ceil(steps * strength - 1e-9))
    positions: np.ndarray = strength * (1 - np.arange(count) / count)
    return positions
