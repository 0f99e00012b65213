"""Samplers: from noise to latents in few steps, along the noise schedule that the checkpoint was trained with.

Timesteps are spaced evenly and end at zero ("trailing", Lin et al. 2023, "Common Diffusion Noise Schedules and Sample
Steps are Flawed"), which suits every schedule and is needed by those with zero terminal SNR.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import diffusers
import numpy as np
import torch

from ..models.samplers import DDIM, DPM_PP_2M

__all__ = ["Sampler", "make_sampler", "timesteps_for"]


class Sampler(Protocol):
    """One walk from noise to latents. Steps are taken in order, each once."""

    timesteps: list[int]

    def noised(self, clean: torch.Tensor, noise: torch.Tensor, index: int) -> torch.Tensor:
        """`clean` at the noise level where step `index` begins; clean itself past the last step."""

    def step(self, prediction: torch.Tensor, latents: torch.Tensor, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Takes step `index`; returns the next latents and the present estimate of the clean ones."""


def timesteps_for(*, steps: int, strength: float, train_steps: int = 1000) -> list[int]:
    """The timesteps of a walk that begins at `strength` (0 < strength <= 1) of the noise schedule, falling.

    Continuous in strength: the walk starts at that part of the schedule, with just as many of the `steps` as keep the
    steps no longer than at strength 1. Where strength * steps is whole, that is the tail of the walk at strength 1.
    """
    count = max(1, math.ceil(steps * strength - 1e-9))
    levels = np.round(train_steps * strength * (1 - np.arange(count) / count)).astype(np.int64) - 1
    return [int(level) for level in np.unique(np.maximum(levels, 0))[::-1]]


def make_sampler(name: str, scheduler_config: dict[str, Any], *, steps: int, strength: float) -> Sampler:
    """The sampler that users know as `name`, honouring the checkpoint's schedule and what its UNet predicts.

    Raises KeyError for a name that is not in `bridge.models.SAMPLERS`.
    """
    train_steps = int(scheduler_config.get("num_train_timesteps", 1000))
    kinds: dict[str, Callable[[dict[str, Any], list[int]], Sampler]] = {DDIM: Ddim, DPM_PP_2M: DpmPlusPlus2M}
    return kinds[name](scheduler_config, timesteps_for(steps=steps, strength=strength, train_steps=train_steps))


class Ddim:
    """Song, Meng, Ermon 2020, "Denoising Diffusion Implicit Models", equation 12 with sigma 0.

    Diffusers' own step derives the next timestep from a whole-numbered stride; this one takes it from the list, so that
    any number of steps and any strength end where they should.
    """

    def __init__(self, scheduler_config: dict[str, Any], timesteps: list[int]) -> None:
        kind: Any = diffusers.DDIMScheduler
        schedule = kind.from_config(scheduler_config)
        self.timesteps = timesteps
        self._prediction = str(schedule.config.prediction_type)
        # The signal's share of variance where each step begins, and at the end of the last.
        self._signal = [float(schedule.alphas_cumprod[t]) for t in timesteps] + [float(schedule.final_alpha_cumprod)]

    def noised(self, clean: torch.Tensor, noise: torch.Tensor, index: int) -> torch.Tensor:
        if index == len(self.timesteps):
            return clean
        signal = self._signal[index]
        return math.sqrt(signal) * clean + math.sqrt(1 - signal) * noise

    def step(self, prediction: torch.Tensor, latents: torch.Tensor, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        signal, next_signal = self._signal[index], self._signal[index + 1]
        scale, spread = math.sqrt(signal), math.sqrt(1 - signal)
        if self._prediction == "epsilon":
            noise, clean = prediction, (latents - spread * prediction) / max(scale, 1e-4)
        elif self._prediction == "v_prediction":
            noise, clean = scale * prediction + spread * latents, scale * latents - spread * prediction
        else:
            noise, clean = (latents - scale * prediction) / max(spread, 1e-4), prediction
        return math.sqrt(next_signal) * clean + math.sqrt(1 - next_signal) * noise, clean


class DpmPlusPlus2M:
    """Lu et al. 2022, "DPM-Solver++", the second-order multistep solver, as diffusers has it."""

    def __init__(self, scheduler_config: dict[str, Any], timesteps: list[int]) -> None:
        kind: Any = diffusers.DPMSolverMultistepScheduler
        self._scheduler = kind.from_config(
            scheduler_config, algorithm_type="dpmsolver++", solver_order=2, use_karras_sigmas=False
        )
        self._scheduler.set_timesteps(timesteps=timesteps)
        self._scheduler.set_begin_index(0)
        self.timesteps = timesteps

    def noised(self, clean: torch.Tensor, noise: torch.Tensor, index: int) -> torch.Tensor:
        if index == len(self.timesteps):
            return clean
        signal = float(self._scheduler.alphas_cumprod[self.timesteps[index]])
        return math.sqrt(signal) * clean + math.sqrt(1 - signal) * noise

    def step(self, prediction: torch.Tensor, latents: torch.Tensor, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        following = self._scheduler.step(prediction, self.timesteps[index], latents, return_dict=False)[0]
        return following, self._scheduler.model_outputs[-1]
