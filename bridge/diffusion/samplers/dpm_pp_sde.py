"""DPM++ SDE: Lu et al. 2022, "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models"."""

import diffusers
import numpy as np

from ..schedules import VariancePreservingSchedule
from .base import Evaluation, SigmaSampler

__all__ = ["DpmPlusPlusSde"]


class DpmPlusPlusSde(SigmaSampler):
    """The second-order single-step solver of the stochastic equation.

    As in k-diffusion each step but the last is evaluated at its beginning and halfway in log-SNR. Diffusers' scheduler
    of that name needs torchsde for noise that is alike at any number of steps; its single-step solver takes the same
    step with independent noise.
    """

    stochastic = True

    def __init__(self, schedule: VariancePreservingSchedule, *, steps: int, strength: float) -> None:
        begins = schedule.timesteps(steps=steps, strength=strength)
        count = len(begins)
        sigmas = np.empty(2 * count - 1)
        sigmas[::2] = schedule.sigmas_at(begins)
        sigmas[1::2] = np.sqrt(sigmas[:-1:2] * sigmas[2::2])
        timesteps = schedule.timesteps_at(sigmas)
        timesteps[::2] = begins
        last = len(timesteps) - 1
        evaluations = [
            Evaluation(
                schedule.model_timestep(float(timestep)),
                1.0 if index == last else (index + 1) / (2 * count),
                index % 2 == 1 or index == last,
            )
            for index, timestep in enumerate(timesteps)
        ]
        scheduler = schedule.scheduler(
            diffusers.DPMSolverSinglestepScheduler,
            algorithm_type="sde-dpmsolver++",
            solver_order=2,
            solver_type="midpoint",
            lower_order_final=True,
        )
        super().__init__(schedule, scheduler, timesteps, sigmas, evaluations)
