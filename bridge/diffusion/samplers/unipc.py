"""UniPC: Zhao et al. 2023, "UniPC: A Unified Predictor-Corrector Framework for Fast Sampling of Diffusion Models"."""

import diffusers

from ..schedules import VariancePreservingSchedule
from .base import SigmaSampler

__all__ = ["UniPc"]


class UniPc(SigmaSampler):
    """Second order: each evaluation also corrects the step that led to it."""

    def __init__(self, schedule: VariancePreservingSchedule, *, steps: int, strength: float) -> None:
        timesteps = schedule.timesteps(steps=steps, strength=strength)
        scheduler = schedule.scheduler(diffusers.UniPCMultistepScheduler, solver_order=2)
        super().__init__(schedule, scheduler, timesteps, schedule.sigmas_at(timesteps))
