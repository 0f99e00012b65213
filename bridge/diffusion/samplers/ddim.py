"""DDIM: Song, Meng and Ermon 2020, "Denoising Diffusion Implicit Models"."""

import math
from collections.abc import Sequence

import diffusers
import torch

from ..schedules import VariancePreservingSchedule
from .base import Sampler, alpha_levels, first_order

__all__ = ["Ddim"]


class Ddim(Sampler):
    """Equation 12 with sigma 0.

    Diffusers' own step derives the next timestep from a whole-numbered stride; this one takes it from the list, so that
    any number of steps and any strength end where they should.
    """

    def __init__(self, schedule: VariancePreservingSchedule, *, steps: int, strength: float) -> None:
        timesteps = schedule.timesteps(steps=steps, strength=strength)
        scheduler = schedule.scheduler(diffusers.DDIMScheduler)
        super().__init__(schedule, first_order(schedule, timesteps), alpha_levels(scheduler, timesteps))
        alphas_cumprod = [float(scheduler.alphas_cumprod[timestep]) for timestep in timesteps]
        self._following = [*alphas_cumprod[1:], float(scheduler.final_alpha_cumprod)]

    def step(
        self,
        prediction: torch.Tensor,
        latents: torch.Tensor,
        index: int,
        generators: Sequence[torch.Generator],  # noqa: ARG002
    ) -> tuple[torch.Tensor, torch.Tensor]:
        clean, noise = self._split(prediction, latents, index)
        following = self._following[index]
        return math.sqrt(following) * clean + math.sqrt(1 - following) * noise, clean
