"""Euler a: Euler's method with ancestral noise, from k-diffusion."""

import diffusers
import torch

from ...models.schedule import Prediction
from ..schedules import VariancePreservingSchedule
from .base import OdeSampler

__all__ = ["EulerAncestral"]


class EulerAncestral(OdeSampler):
    """Euler's step to a lower noise level than the next one, and fresh noise up to it."""

    stochastic = True

    def __init__(self, schedule: VariancePreservingSchedule, *, steps: int, strength: float) -> None:
        timesteps = schedule.timesteps(steps=steps, strength=strength)
        # Diffusers' class takes no prediction of the clean latents; as a prediction of the noise it says the same.
        self._of_clean = schedule.prediction is Prediction.SAMPLE
        prediction = Prediction.EPSILON if self._of_clean else schedule.prediction
        scheduler = schedule.scheduler(diffusers.EulerAncestralDiscreteScheduler, prediction_type=prediction.value)
        super().__init__(schedule, scheduler, timesteps, schedule.sigmas_at(timesteps))

    def _scheduled(self, prediction: torch.Tensor, latents: torch.Tensor, index: int) -> torch.Tensor:
        return (latents - prediction) / self._scheduler.sigmas[index] if self._of_clean else prediction
