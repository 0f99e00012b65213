"""Samplers that solve for the clean latents in steps of log-SNR: DPM++ 2M, its Karras spacing, DPM++ SDE, UniPC."""

import math
from collections.abc import Sequence
from typing import Any

import diffusers
import numpy as np
import torch

from .schedule import Schedule, place
from .walk import Evaluation

__all__ = ["DpmPlusPlus2M", "DpmPlusPlus2MKarras", "DpmPlusPlusSde", "UniPc"]


class _Solver:
    """Latents are at the model's own scale throughout."""

    def __init__(
        self, scheduler: Any, timesteps: np.ndarray, sigmas: np.ndarray, evaluations: list[Evaluation]
    ) -> None:
        self._scheduler = scheduler
        self.evaluations = evaluations
        place(scheduler, timesteps, sigmas)

    def noise_only(self, noise: torch.Tensor) -> torch.Tensor:
        return noise

    def noised(self, clean: torch.Tensor, noise: torch.Tensor, index: int) -> torch.Tensor:
        sigma = float(self._scheduler.sigmas[index])
        return (clean + sigma * noise) / math.sqrt(1 + sigma**2)

    def model_input(self, latents: torch.Tensor, index: int) -> torch.Tensor:  # noqa: ARG002
        return latents

    def step(
        self,
        prediction: torch.Tensor,
        latents: torch.Tensor,
        index: int,
        generators: Sequence[torch.Generator],  # noqa: ARG002
    ) -> tuple[torch.Tensor, torch.Tensor]:
        following = self._scheduler.step(prediction, self._scheduler.timesteps[index], latents, return_dict=False)[0]
        return following, self._scheduler.model_outputs[-1]


class _Multistep(_Solver):
    """Second order from what the step before has seen, so one evaluation a step."""

    def __init__(self, scheduler: Any, timesteps: np.ndarray, sigmas: np.ndarray) -> None:
        count = len(timesteps)
        evaluations = [Evaluation(float(t), (index + 1) / count, True) for index, t in enumerate(timesteps)]
        super().__init__(scheduler, timesteps, sigmas, evaluations)


class DpmPlusPlus2M(_Multistep):
    """Lu et al. 2022, "DPM-Solver++", the second-order multistep solver."""

    def __init__(self, schedule: Schedule, timesteps: list[int]) -> None:
        at = np.array(timesteps)
        super().__init__(_dpm_solver(schedule), at, schedule.sigmas_at(at))


class DpmPlusPlus2MKarras(_Multistep):
    """The same, on noise levels that lie the closer the lower they are."""

    def __init__(self, schedule: Schedule, timesteps: list[int]) -> None:
        sigmas = schedule.karras(timesteps)
        super().__init__(_dpm_solver(schedule), schedule.timesteps_at(sigmas).round(), sigmas)


class UniPc(_Multistep):
    """Zhao et al. 2023, "UniPC": each evaluation also corrects the step that led to it."""

    def __init__(self, schedule: Schedule, timesteps: list[int]) -> None:
        at = np.array(timesteps)
        scheduler = schedule.scheduler(diffusers.UniPCMultistepScheduler, solver_order=2)
        super().__init__(scheduler, at, schedule.sigmas_at(at))


class DpmPlusPlusSde(_Solver):
    """Lu et al. 2022, "DPM-Solver++", the second-order single-step solver of the stochastic equation.

    As k-diffusion has it: each step but the last is evaluated at its beginning and halfway in log-SNR. Diffusers'
    scheduler of that name needs torchsde for noise that is alike at any number of steps; its single-step solver takes
    the same step with independent noise.
    """

    def __init__(self, schedule: Schedule, timesteps: list[int]) -> None:
        count = len(timesteps)
        sigmas = np.empty(2 * count - 1)
        sigmas[::2] = schedule.sigmas_at(np.array(timesteps))
        sigmas[1::2] = np.sqrt(sigmas[:-1:2] * sigmas[2::2])
        at = schedule.timesteps_at(sigmas)
        at[::2] = timesteps
        last = len(at) - 1
        evaluations = [
            Evaluation(float(t), 1.0 if index == last else (index + 1) / (2 * count), index % 2 == 1 or index == last)
            for index, t in enumerate(at)
        ]
        scheduler = schedule.scheduler(
            diffusers.DPMSolverSinglestepScheduler,
            algorithm_type="sde-dpmsolver++",
            solver_order=2,
            solver_type="midpoint",
            lower_order_final=True,
        )
        super().__init__(scheduler, at, sigmas, evaluations)

    def step(
        self, prediction: torch.Tensor, latents: torch.Tensor, index: int, generators: Sequence[torch.Generator]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        following = self._scheduler.step(
            prediction, self._scheduler.timesteps[index], latents, generator=list(generators), return_dict=False
        )[0]
        return following, self._scheduler.model_outputs[-1]


def _dpm_solver(schedule: Schedule) -> Any:
    return schedule.scheduler(diffusers.DPMSolverMultistepScheduler, algorithm_type="dpmsolver++", solver_order=2)
