"""TCD: Zheng et al. 2024, "Trajectory Consistency Distillation"."""

import diffusers

from ..schedules import VariancePreservingSchedule
from .base import AlphaSampler

__all__ = ["Tcd"]


class Tcd(AlphaSampler):
    """Strategic stochastic sampling (section 4.2) with the paper's gamma of 0.3, which diffusers calls eta."""

    stochastic = True
    step_options = {"eta": 0.3}  # noqa: RUF012

    def __init__(self, schedule: VariancePreservingSchedule, *, steps: int, strength: float) -> None:
        timesteps = schedule.timesteps(steps=steps, strength=strength)
        super().__init__(schedule, schedule.scheduler(diffusers.TCDScheduler), timesteps)
