"""Euler's method: Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models"."""

import diffusers

from ...models.schedule import ScheduleKind
from ..schedules import NoiseSchedule
from .base import OdeSampler

__all__ = ["Euler"]


class Euler(OdeSampler):
    """Algorithm 2 without its churn and its correction: latents + (next sigma - sigma) * d latents / d sigma."""

    def __init__(self, schedule: NoiseSchedule, *, steps: int, strength: float) -> None:
        timesteps = schedule.timesteps(steps=steps, strength=strength)
        flow = schedule.kind is ScheduleKind.FLOW_MATCHING
        kind = diffusers.FlowMatchEulerDiscreteScheduler if flow else diffusers.EulerDiscreteScheduler
        super().__init__(schedule, schedule.scheduler(kind), timesteps, schedule.sigmas_at(timesteps))
