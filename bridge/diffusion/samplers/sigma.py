"""Samplers of k-diffusion that keep the signal and let the noise grow with sigma: Euler, Euler a, Heun.

Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models".
"""

from collections.abc import Sequence
from typing import Any

import diffusers
import numpy as np
import torch

from .schedule import Schedule, place
from .walk import Evaluation

__all__ = ["Euler", "EulerAncestral", "Heun"]

# Ordinary schedules begin at a sigma of 15.
_NOISE_ALONE = 200


class _BySigma:
    """Latents are clean + sigma * noise; the UNet sees them at unit variance."""

    def __init__(
        self, scheduler: Any, timesteps: np.ndarray, sigmas: np.ndarray, evaluations: list[Evaluation]
    ) -> None:
        self._scheduler = scheduler
        self.evaluations = evaluations
        place(scheduler, timesteps, sigmas)

    def noise_only(self, noise: torch.Tensor) -> torch.Tensor:
        return noise * float(self._scheduler.sigmas[0])

    def noised(self, clean: torch.Tensor, noise: torch.Tensor, index: int) -> torch.Tensor:
        return clean + float(self._scheduler.sigmas[index]) * noise

    def model_input(self, latents: torch.Tensor, index: int) -> torch.Tensor:
        scaled: torch.Tensor = self._scheduler.scale_model_input(latents, self._scheduler.timesteps[index])
        return scaled

    def step(
        self,
        prediction: torch.Tensor,
        latents: torch.Tensor,
        index: int,
        generators: Sequence[torch.Generator],  # noqa: ARG002
    ) -> tuple[torch.Tensor, torch.Tensor]:
        following, clean = self._scheduler.step(
            prediction, self._scheduler.timesteps[index], latents, return_dict=False
        )
        return following, clean


class _FirstOrder(_BySigma):
    def __init__(self, scheduler: Any, schedule: Schedule, timesteps: list[int]) -> None:
        count = len(timesteps)
        evaluations = [Evaluation(t, (index + 1) / count, True) for index, t in enumerate(timesteps)]
        at = np.array(timesteps)
        super().__init__(scheduler, at, schedule.sigmas_at(at), evaluations)


class Euler(_FirstOrder):
    """Algorithm 2 of the paper without its churn and its correction."""

    def __init__(self, schedule: Schedule, timesteps: list[int]) -> None:
        super().__init__(schedule.scheduler(diffusers.EulerDiscreteScheduler), schedule, timesteps)


class EulerAncestral(_FirstOrder):
    """Euler's step to a lower noise level than the next one, and fresh noise up to it."""

    def __init__(self, schedule: Schedule, timesteps: list[int]) -> None:
        # Diffusers knows no UNet here that predicts the clean latents; what it sees as noise says the same.
        self._of_clean = schedule.prediction == "sample"
        prediction = "epsilon" if self._of_clean else schedule.prediction
        scheduler = schedule.scheduler(diffusers.EulerAncestralDiscreteScheduler, prediction_type=prediction)
        super().__init__(scheduler, schedule, timesteps)

    def step(
        self, prediction: torch.Tensor, latents: torch.Tensor, index: int, generators: Sequence[torch.Generator]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self._of_clean:
            prediction = (latents - prediction) / self._scheduler.sigmas[index]
        following, clean = self._scheduler.step(
            prediction, self._scheduler.timesteps[index], latents, generator=list(generators), return_dict=False
        )
        return following, clean


class Heun(_BySigma):
    """Algorithm 1 of the paper: each step but the last is corrected by the slope at its end.

    So is none that begins with next to nothing but noise, which happens with zero terminal SNR alone: such a step is so
    long that the least change of the slope would throw it off.
    """

    def __init__(self, schedule: Schedule, timesteps: list[int]) -> None:
        count = len(timesteps)
        levels = schedule.sigmas_at(np.array(timesteps))
        visits: list[int] = []
        evaluations: list[Evaluation] = []
        self._uncorrected: set[int] = set()
        for step, timestep in enumerate(timesteps):
            corrected = step < count - 1 and levels[step] < _NOISE_ALONE
            reached = (step + 1) / count
            visits.append(step)
            evaluations.append(Evaluation(timestep, reached, not corrected))
            if corrected:
                visits.append(step + 1)
                evaluations.append(Evaluation(timesteps[step + 1], reached, True))
            else:
                self._uncorrected.add(len(evaluations) - 1)
        scheduler = schedule.scheduler(diffusers.HeunDiscreteScheduler)
        super().__init__(scheduler, np.array(timesteps)[visits], levels[visits], evaluations)

    def step(
        self, prediction: torch.Tensor, latents: torch.Tensor, index: int, generators: Sequence[torch.Generator]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        stepped = super().step(prediction, latents, index, generators)
        if index in self._uncorrected:
            # This is how the scheduler knows that no correction is due.
            self._scheduler.prev_derivative = self._scheduler.dt = self._scheduler.sample = None
        return stepped
