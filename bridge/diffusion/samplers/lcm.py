"""LCM: Luo et al. 2023, "Latent Consistency Models: Synthesizing High-Resolution Images with Few-Step Inference"."""

import diffusers

from ..schedules import VariancePreservingSchedule
from .base import AlphaSampler

__all__ = ["Lcm"]


class Lcm(AlphaSampler):
    """Algorithm 3: a distilled denoiser predicts the end of the trajectory, which is noised again for the next step."""

    stochastic = True

    def __init__(self, schedule: VariancePreservingSchedule, *, steps: int, strength: float) -> None:
        timesteps = schedule.timesteps(steps=steps, strength=strength)
        super().__init__(schedule, schedule.scheduler(diffusers.LCMScheduler), timesteps)
