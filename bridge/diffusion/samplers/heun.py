"""Heun's method: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models"."""

from collections.abc import Sequence

import diffusers
import numpy as np
import torch

from ...models.schedule import ScheduleKind
from ..schedules import NoiseSchedule
from .base import Evaluation, OdeSampler

__all__ = ["Heun"]

# Ordinary variance-preserving schedules begin at a sigma of 15, flows at 1.
_NOISE_ALONE = 200


class Heun(OdeSampler):
    """Algorithm 1: each step but the last is corrected by the slope at its end.

    So is none that begins with next to nothing but noise, which happens with zero terminal SNR alone: such a step is so
    long that the least change of the slope would throw it off.
    """

    def __init__(self, schedule: NoiseSchedule, *, steps: int, strength: float) -> None:
        timesteps = schedule.timesteps(steps=steps, strength=strength)
        sigmas = schedule.sigmas_at(timesteps)
        count = len(timesteps)
        evaluated: list[int] = []
        evaluations: list[Evaluation] = []
        self._uncorrected: set[int] = set()
        for step in range(count):
            corrected = step < count - 1 and sigmas[step] < _NOISE_ALONE
            if not corrected:
                self._uncorrected.add(len(evaluations))
            for place in (step, step + 1) if corrected else (step,):
                told = schedule.model_timestep(float(timesteps[place]))
                evaluations.append(Evaluation(told, (step + 1) / count, place > step or not corrected))
                evaluated.append(place)
        flow = schedule.kind is ScheduleKind.FLOW_MATCHING
        kind = diffusers.FlowMatchHeunDiscreteScheduler if flow else diffusers.HeunDiscreteScheduler
        at = np.array(timesteps)[evaluated]
        super().__init__(schedule, schedule.scheduler(kind), at, sigmas[evaluated], evaluations)

    def step(
        self, prediction: torch.Tensor, latents: torch.Tensor, index: int, generators: Sequence[torch.Generator]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        stepped = super().step(prediction, latents, index, generators)
        if index in self._uncorrected:
            # This is how the scheduler knows that no correction is due.
            self._scheduler.prev_derivative = self._scheduler.dt = self._scheduler.sample = None
        return stepped
