"""What a sampler is to the denoising loop, and what the samplers have in common.

All but DDIM step as diffusers' schedulers do, along timesteps of our own.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from ...models.schedule import ScheduleKind
from ..schedules import NoiseLevel, NoiseSchedule, VariancePreservingSchedule

__all__ = [
    "AlphaSampler",
    "Evaluation",
    "OdeSampler",
    "Sampler",
    "SchedulerSampler",
    "SigmaSampler",
    "alpha_levels",
    "first_order",
]

_CLEAN = NoiseLevel(1, 0)


@dataclass(frozen=True)
class Evaluation:
    """One call of the denoiser. A step takes one, or two where the sampler is of second order.

    `timestep` is what the denoiser is told; `reached` the part of the steps, 0..1, that is behind the latents which
    come of it; `ends_step` whether a step is done with it.
    """

    timestep: float
    reached: float
    ends_step: bool


class Sampler(ABC):
    """One run from noise to clean latents. Evaluations are taken in order, each once.

    Meanwhile latents (n, c, h, w) are at the sampler's own scale: ask `noise_only` and `noised` for them, and give the
    denoiser what `model_input` makes of them. They end at the denoiser's scale.
    """

    def __init__(
        self, schedule: NoiseSchedule, evaluations: Sequence[Evaluation], levels: Sequence[NoiseLevel]
    ) -> None:
        """`levels` are those of the evaluations, as the denoiser sees latents."""
        self.schedule = schedule
        self.evaluations = list(evaluations)
        self._levels = [*levels, _CLEAN]

    def noise_only(self, noise: torch.Tensor) -> torch.Tensor:
        """Standard normal `noise` as the latents that a run of strength 1 begins with."""
        return noise

    def noised(self, clean: torch.Tensor, noise: torch.Tensor, index: int) -> torch.Tensor:
        """`clean` at the noise level where evaluation `index` begins; clean itself past the last one."""
        return self._levels[index].add_noise(clean, noise)

    def model_input(self, latents: torch.Tensor, index: int) -> torch.Tensor:  # noqa: ARG002
        """`latents` at the scale that the denoiser was trained with, for evaluation `index`."""
        return latents

    @abstractmethod
    def step(
        self, prediction: torch.Tensor, latents: torch.Tensor, index: int, generators: Sequence[torch.Generator]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Takes evaluation `index`; returns the next latents and the present estimate of the clean ones.

        Noise, where the sampler adds any, is drawn for each picture from its own one of `generators`.
        """

    def _split(self, prediction: torch.Tensor, latents: torch.Tensor, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The clean latents and the noise that the denoiser sees in `latents`."""
        return self.schedule.split(prediction, self.model_input(latents, index), self._levels[index])


class SchedulerSampler(Sampler):
    """Steps as one of diffusers' schedulers does, with `step_options`, and with noise if it is `stochastic`."""

    stochastic: ClassVar[bool] = False
    step_options: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, schedule: NoiseSchedule, scheduler: Any, evaluations: Sequence[Evaluation], levels: Sequence[NoiseLevel]
    ) -> None:
        """`scheduler` has its timesteps."""
        super().__init__(schedule, evaluations, levels)
        self._scheduler = scheduler

    def step(
        self, prediction: torch.Tensor, latents: torch.Tensor, index: int, generators: Sequence[torch.Generator]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        clean, _ = self._split(prediction, latents, index)
        drawn = {"generator": list(generators)} if self.stochastic else {}
        told = self._scheduled(prediction, latents, index)
        timestep = self._scheduler.timesteps[index]
        options = {**drawn, **self.step_options}
        return self._scheduler.step(told, timestep, latents, return_dict=False, **options)[0], clean

    def _scheduled(self, prediction: torch.Tensor, latents: torch.Tensor, index: int) -> torch.Tensor:  # noqa: ARG002
        """The prediction as the scheduler takes it."""
        return prediction


class AlphaSampler(SchedulerSampler):
    """By whole timesteps of a variance-preserving schedule, whose levels are diffusers' `alphas_cumprod`."""

    def __init__(self, schedule: VariancePreservingSchedule, scheduler: Any, timesteps: list[int]) -> None:
        scheduler.set_timesteps(timesteps=timesteps)
        super().__init__(schedule, scheduler, first_order(schedule, timesteps), alpha_levels(scheduler, timesteps))


class SigmaSampler(SchedulerSampler):
    """Along sigmas of ours, with latents at the denoiser's scale."""

    def __init__(
        self,
        schedule: NoiseSchedule,
        scheduler: Any,
        timesteps: Sequence[float] | np.ndarray,
        sigmas: np.ndarray,
        evaluations: Sequence[Evaluation] | None = None,
    ) -> None:
        """`evaluations` are one a step where they are None."""
        _place(scheduler, np.asarray(timesteps), sigmas)
        self._sigmas = [float(sigma) for sigma in scheduler.sigmas]
        levels = [schedule.level(sigma) for sigma in self._sigmas[:-1]]
        super().__init__(schedule, scheduler, evaluations or first_order(schedule, timesteps), levels)


class OdeSampler(SigmaSampler):
    """The same with latents at the scale of d latents / d sigma = (latents - clean) / sigma.

    On variance-preserving schedules these are clean + sigma * noise, as in k-diffusion; along a flow the denoiser's.
    """

    def noise_only(self, noise: torch.Tensor) -> torch.Tensor:
        return noise * self._sigmas[0]

    def noised(self, clean: torch.Tensor, noise: torch.Tensor, index: int) -> torch.Tensor:
        return self.schedule.solver_level(self._sigmas[index]).add_noise(clean, noise)

    def model_input(self, latents: torch.Tensor, index: int) -> torch.Tensor:
        if self.schedule.kind is ScheduleKind.FLOW_MATCHING:
            return latents
        scaled: torch.Tensor = self._scheduler.scale_model_input(latents, self._scheduler.timesteps[index])
        return scaled


def first_order(schedule: NoiseSchedule, timesteps: Sequence[float] | np.ndarray) -> list[Evaluation]:
    """One evaluation a step."""
    count = len(timesteps)
    return [
        Evaluation(schedule.model_timestep(float(timestep)), (index + 1) / count, True)
        for index, timestep in enumerate(timesteps)
    ]


def alpha_levels(scheduler: Any, timesteps: list[int]) -> list[NoiseLevel]:
    """The levels at timesteps of one of diffusers' schedulers of a variance-preserving schedule."""
    alphas_cumprod = [float(scheduler.alphas_cumprod[timestep]) for timestep in timesteps]
    return [NoiseLevel(math.sqrt(alpha), math.sqrt(1 - alpha)) for alpha in alphas_cumprod]


def _place(scheduler: Any, timesteps: np.ndarray, sigmas: np.ndarray) -> None:
    """Makes one of diffusers' schedulers evaluate at these timesteps and sigmas, ending at sigma 0.

    Not all of them take a list, and those that do take whole timesteps only.
    """
    scheduler.set_timesteps(len(timesteps))
    scheduler.timesteps = torch.from_numpy(timesteps.astype(np.float32))
    scheduler.sigmas = torch.from_numpy(np.append(sigmas, 0).astype(np.float32))
    scheduler.set_begin_index(0)
