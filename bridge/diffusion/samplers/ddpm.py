"""DDPM: Ho, Jain and Abbeel 2020, "Denoising Diffusion Probabilistic Models"."""

import diffusers

from ..schedules import VariancePreservingSchedule
from .base import AlphaSampler

__all__ = ["Ddpm"]


class Ddpm(AlphaSampler):
    """Algorithm 2, over any timesteps."""

    stochastic = True

    def __init__(self, schedule: VariancePreservingSchedule, *, steps: int, strength: float) -> None:
        timesteps = schedule.timesteps(steps=steps, strength=strength)
        super().__init__(schedule, schedule.scheduler(diffusers.DDPMScheduler), timesteps)
