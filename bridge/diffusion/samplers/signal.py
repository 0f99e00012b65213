"""Samplers that write a noise level as the signal's share of variance: DDIM, DDPM, and the distilled LCM and TCD."""

import math
from collections.abc import Sequence
from typing import Any

import diffusers
import torch

from .schedule import Schedule
from .walk import Evaluation

__all__ = ["Ddim", "Ddpm", "Lcm", "Tcd"]


class _BySignal:
    """Latents are at the model's own scale throughout; each step takes one evaluation."""

    def __init__(self, kind: Any, schedule: Schedule, timesteps: list[int], **options: Any) -> None:
        self._scheduler = schedule.scheduler(kind, **options)
        self._prediction = schedule.prediction
        self._signal = [float(self._scheduler.alphas_cumprod[t]) for t in timesteps]
        count = len(timesteps)
        self.evaluations = [Evaluation(t, (index + 1) / count, True) for index, t in enumerate(timesteps)]

    def noise_only(self, noise: torch.Tensor) -> torch.Tensor:
        return noise

    def noised(self, clean: torch.Tensor, noise: torch.Tensor, index: int) -> torch.Tensor:
        if index == len(self.evaluations):
            return clean
        signal = self._signal[index]
        return math.sqrt(signal) * clean + math.sqrt(1 - signal) * noise

    def model_input(self, latents: torch.Tensor, index: int) -> torch.Tensor:  # noqa: ARG002
        return latents

    def _split(self, prediction: torch.Tensor, latents: torch.Tensor, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The clean latents and the noise that the UNet sees in `latents`."""
        scale, spread = math.sqrt(self._signal[index]), math.sqrt(1 - self._signal[index])
        if self._prediction == "epsilon":
            return (latents - spread * prediction) / max(scale, 1e-4), prediction
        if self._prediction == "v_prediction":
            return scale * latents - spread * prediction, scale * prediction + spread * latents
        return prediction, (latents - scale * prediction) / max(spread, 1e-4)


class Ddim(_BySignal):
    """Song, Meng, Ermon 2020, "Denoising Diffusion Implicit Models", equation 12 with sigma 0.

    Diffusers' own step derives the next timestep from a whole-numbered stride; this one takes it from the list, so that
    any number of steps and any strength end where they should.
    """

    def __init__(self, schedule: Schedule, timesteps: list[int]) -> None:
        super().__init__(diffusers.DDIMScheduler, schedule, timesteps)
        self._following = [*self._signal[1:], float(self._scheduler.final_alpha_cumprod)]

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


class _Stochastic(_BySignal):
    """Fresh noise with every step, as diffusers' scheduler of that kind adds it."""

    def __init__(self, kind: Any, schedule: Schedule, timesteps: list[int], **options: Any) -> None:
        super().__init__(kind, schedule, timesteps)
        self._scheduler.set_timesteps(timesteps=timesteps)
        self._options = options

    def step(
        self, prediction: torch.Tensor, latents: torch.Tensor, index: int, generators: Sequence[torch.Generator]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        following = self._scheduler.step(
            prediction,
            self._scheduler.timesteps[index],
            latents,
            generator=list(generators),
            return_dict=False,
            **self._options,
        )[0]
        return following, self._split(prediction, latents, index)[0]


class Ddpm(_Stochastic):
    """Ho, Jain, Abbeel 2020, "Denoising Diffusion Probabilistic Models", over any timesteps."""

    def __init__(self, schedule: Schedule, timesteps: list[int]) -> None:
        super().__init__(diffusers.DDPMScheduler, schedule, timesteps)


class Lcm(_Stochastic):
    """Luo et al. 2023, "Latent Consistency Models": a distilled UNet leaps to the end, and is noised again."""

    def __init__(self, schedule: Schedule, timesteps: list[int]) -> None:
        super().__init__(diffusers.LCMScheduler, schedule, timesteps)


class Tcd(_Stochastic):
    """Zheng et al. 2024, "Trajectory Consistency Distillation", with the paper's gamma of 0.3."""

    def __init__(self, schedule: Schedule, timesteps: list[int]) -> None:
        super().__init__(diffusers.TCDScheduler, schedule, timesteps, eta=0.3)
