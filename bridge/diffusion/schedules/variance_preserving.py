"""The schedule of Ho, Jain and Abbeel 2020 (DDPM), as Stable Diffusion's checkpoints were trained with it."""

import math
from collections.abc import Sequence
from typing import Any, Self

import diffusers
import numpy as np
import torch

from ...models.config_keys import SCHEDULE_KEYS
from ...models.schedule import Prediction, ScheduleKind
from .noise_schedule import NoiseLevel, trailing_positions

__all__ = ["VariancePreservingSchedule"]

# Where diffusers' classes would choose timesteps or clip pixels by default. Samplers choose timesteps themselves, and
# latents are not pixels that end at 1.
_OPTIONS = {
    "timestep_spacing": "trailing",
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "clip_sample": False,
    "thresholding": False,
    "final_sigmas_type": "zero",
}


class VariancePreservingSchedule:
    """latents = sqrt(alpha_cumprod) * clean + sqrt(1 - alpha_cumprod) * noise, by a diffusers `scheduler_config`.

    A sigma is noise to signal, sqrt((1 - alpha_cumprod) / alpha_cumprod). A schedule with zero terminal SNR begins at
    4096, as diffusers has it. The denoiser is told the timestep, 0 to 999.
    """

    kind = ScheduleKind.VARIANCE_PRESERVING

    def __init__(self, scheduler_config: dict[str, Any]) -> None:
        self._config = {key: value for key, value in scheduler_config.items() if key in SCHEDULE_KEYS}
        alphas_cumprod = self.scheduler(diffusers.EulerDiscreteScheduler).alphas_cumprod
        self._sigmas: np.ndarray = (((1 - alphas_cumprod) / alphas_cumprod) ** 0.5).numpy()
        self.prediction = Prediction(scheduler_config.get("prediction_type", "epsilon"))
        self.train_steps = len(self._sigmas)

    def for_image(self, image_seq_len: int, steps: int) -> Self:  # noqa: ARG002
        return self

    def timesteps(self, *, steps: int, strength: float) -> list[int]:
        positions = trailing_positions(steps, strength)
        timesteps = np.round(self.train_steps * positions).astype(np.int64) - 1
        return [int(timestep) for timestep in np.unique(np.maximum(timesteps, 0))[::-1]]

    def sigmas_at(self, timesteps: Sequence[float] | np.ndarray) -> np.ndarray:
        sigmas: np.ndarray = np.interp(timesteps, np.arange(self.train_steps), self._sigmas)
        return sigmas

    def timesteps_at(self, sigmas: np.ndarray) -> np.ndarray:
        timesteps: np.ndarray = np.interp(np.log(sigmas), np.log(self._sigmas), np.arange(self.train_steps))
        return timesteps

    def model_timestep(self, timestep: float) -> float:
        return timestep

    def level(self, sigma: float) -> NoiseLevel:
        return NoiseLevel(1, sigma, math.sqrt(1 + sigma**2))

    def solver_level(self, sigma: float) -> NoiseLevel:
        """Variance-exploding: the signal keeps its scale and the noise grows (Karras et al. 2022)."""
        return NoiseLevel(1, sigma)

    def split(
        self, prediction: torch.Tensor, model_input: torch.Tensor, level: NoiseLevel
    ) -> tuple[torch.Tensor, torch.Tensor]:
        signal, noise = level.signal_scale / level.norm, level.noise_scale / level.norm
        if self.prediction is Prediction.EPSILON:
            return (model_input - noise * prediction) / max(signal, 1e-4), prediction
        if self.prediction is Prediction.V_PREDICTION:
            return signal * model_input - noise * prediction, signal * prediction + noise * model_input
        return prediction, (model_input - signal * prediction) / max(noise, 1e-4)

    def scheduler(self, kind: Any, **options: Any) -> Any:
        return kind.from_config(self._config, **{**_OPTIONS, **options})
