"""DPM++ 2M: Lu et al. 2022, "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models"."""

from typing import Any

import diffusers
import numpy as np

from ..schedules import NoiseSchedule, VariancePreservingSchedule
from .base import SigmaSampler

__all__ = ["DpmPlusPlus2M", "DpmPlusPlus2MKarras", "karras_sigmas"]


class DpmPlusPlus2M(SigmaSampler):
    """Algorithm 2, the multistep solver: second order from what the step before has seen, one evaluation a step."""

    def __init__(self, schedule: NoiseSchedule, *, steps: int, strength: float) -> None:
        timesteps = schedule.timesteps(steps=steps, strength=strength)
        super().__init__(schedule, _scheduler(schedule), timesteps, schedule.sigmas_at(timesteps))


class DpmPlusPlus2MKarras(SigmaSampler):
    """The same along sigmas that lie the closer the lower they are."""

    def __init__(self, schedule: VariancePreservingSchedule, *, steps: int, strength: float) -> None:
        timesteps = schedule.timesteps(steps=steps, strength=strength)
        sigmas = karras_sigmas(schedule.sigmas_at([timesteps[0], 0]), len(timesteps))
        super().__init__(schedule, _scheduler(schedule), schedule.timesteps_at(sigmas).round(), sigmas)


def karras_sigmas(ends: np.ndarray, count: int, rho: float = 7) -> np.ndarray:
    """`count` sigmas between two (Karras et al. 2022, equation 5)."""
    first, last = ends ** (1 / rho)
    sigmas: np.ndarray = (first + np.linspace(0, 1, count) * (last - first)) ** rho
    return sigmas


def _scheduler(schedule: NoiseSchedule) -> Any:
    return schedule.scheduler(diffusers.DPMSolverMultistepScheduler, algorithm_type="dpmsolver++", solver_order=2)
