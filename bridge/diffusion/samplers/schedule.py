"""Where the steps lie on the noise schedule that a checkpoint was trained with.

Timesteps are spaced evenly and end at zero ("trailing", Lin et al. 2023, "Common Diffusion Noise Schedules and Sample
Steps are Flawed"), which suits every schedule and is needed by those with zero terminal SNR.
"""

import math
from typing import Any

import diffusers
import numpy as np
import torch

from ...models.config_keys import SCHEDULE_KEYS

__all__ = ["Schedule", "place", "timesteps_for"]

# Where diffusers' classes would choose timesteps or tame pixels by default; samplers choose for themselves, and latents
# are not pixels that end at 1.
_OURS = {
    "timestep_spacing": "trailing",
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "clip_sample": False,
    "thresholding": False,
    "final_sigmas_type": "zero",
}


def timesteps_for(*, steps: int, strength: float, train_steps: int = 1000) -> list[int]:
    """The timesteps of a walk that begins at `strength` (0 < strength <= 1) of the noise schedule, falling.

    Continuous in strength: the walk starts at that part of the schedule, with just as many of the `steps` as keep the
    steps no longer than at strength 1. Where strength * steps is whole, that is the tail of the walk at strength 1.
    """
    count = max(1, math.ceil(steps * strength - 1e-9))
    levels = np.round(train_steps * strength * (1 - np.arange(count) / count)).astype(np.int64) - 1
    return [int(level) for level in np.unique(np.maximum(levels, 0))[::-1]]


class Schedule:
    """A checkpoint's noise schedule, and what its UNet predicts: `epsilon`, `v_prediction` or `sample`.

    Noise levels are sigmas, noise to signal; a schedule with zero terminal SNR begins at 4096, as diffusers has it.
    """

    def __init__(self, scheduler_config: dict[str, Any]) -> None:
        self._config = {key: value for key, value in scheduler_config.items() if key in SCHEDULE_KEYS}
        signal = self.scheduler(diffusers.EulerDiscreteScheduler).alphas_cumprod
        self._sigmas: np.ndarray = (((1 - signal) / signal) ** 0.5).numpy()
        self.prediction = str(scheduler_config.get("prediction_type", "epsilon"))
        self.train_steps = len(self._sigmas)

    def scheduler(self, kind: Any, **options: Any) -> Any:
        """Diffusers' scheduler of that class for this schedule."""
        return kind.from_config(self._config, **{**_OURS, **options})

    def sigmas_at(self, timesteps: np.ndarray) -> np.ndarray:
        """The noise levels at timesteps, which may lie between two."""
        found: np.ndarray = np.interp(timesteps, np.arange(len(self._sigmas)), self._sigmas)
        return found

    def timesteps_at(self, sigmas: np.ndarray) -> np.ndarray:
        """The timesteps at noise levels, with a fraction."""
        found: np.ndarray = np.interp(np.log(sigmas), np.log(self._sigmas), np.arange(len(self._sigmas)))
        return found

    def karras(self, timesteps: list[int]) -> np.ndarray:
        """As many noise levels, from that of the first timestep to the schedule's least.

        Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models", equation 5, rho 7.
        """
        first, last = self.sigmas_at(np.array([timesteps[0], 0])) ** (1 / 7)
        levels: np.ndarray = (first + np.linspace(0, 1, len(timesteps)) * (last - first)) ** 7
        return levels


def place(scheduler: Any, timesteps: np.ndarray, sigmas: np.ndarray) -> None:
    """Has one of diffusers' schedulers evaluate at these timesteps and noise levels, ending at none.

    Not all of them take a list, and those that do know whole timesteps only.
    """
    scheduler.set_timesteps(len(timesteps))
    scheduler.timesteps = torch.from_numpy(timesteps.astype(np.float32))
    scheduler.sigmas = torch.from_numpy(np.append(sigmas, 0).astype(np.float32))
    scheduler.set_begin_index(0)
