"""Rectified flow: Liu, Gong and Liu 2022, "Flow Straight and Fast"; Lipman et al. 2022, "Flow Matching".

As SD3, FLUX, Qwen-Image and Z-Image were trained with it, and diffusers' FlowMatchEulerDiscreteScheduler samples it.
"""

import copy
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np
import torch

from ...models.schedule import Prediction, ScheduleKind
from .noise_schedule import NoiseLevel, trailing_positions

__all__ = ["FlowMatchingSchedule", "LinearMu", "ModelTime", "TimeShift", "flux2_mu"]


class ModelTime(StrEnum):
    """What the denoiser is told at a sigma (1: noise, 0: clean).

    These are diffusers' classes' own arguments: FLUX, FLUX.2 and Qwen-Image take sigma, SD3 1000 * sigma, Z-Image
    1 - sigma.
    """

    SIGMA = "sigma"
    TIMESTEP = "timestep"
    SIGNAL = "signal"


class TimeShift(StrEnum):
    """How mu shifts the sigmas: by the factor exp(mu), or by mu itself. Diffusers' `time_shift_type`."""

    EXPONENTIAL = "exponential"
    LINEAR = "linear"


@dataclass(frozen=True)
class LinearMu:
    """mu grows with the image's tokens: from `base_shift` at `base_seq_len` to `max_shift` at `max_seq_len`.

    Black Forest Labs' rule for FLUX.1, with its numbers; it holds beyond both ends. Diffusers' `calculate_shift`.
    """

    base_seq_len: int = 256
    max_seq_len: int = 4096
    base_shift: float = 0.5
    max_shift: float = 1.15

    def __call__(self, image_seq_len: int, steps: int) -> float:  # noqa: ARG002
        slope = (self.max_shift - self.base_shift) / (self.max_seq_len - self.base_seq_len)
        return self.base_shift + slope * (image_seq_len - self.base_seq_len)


def flux2_mu(image_seq_len: int, steps: int) -> float:
    """FLUX.2's rule, fitted by Black Forest Labs: two lines over the image's tokens, for 10 and for 200 steps.

    Between them mu is linear in the steps; beyond 4300 tokens the second line holds for all.
    """
    of_200 = 0.00016927 * image_seq_len + 0.45666666
    if image_seq_len > 4300:
        return of_200
    of_10 = 8.73809524e-05 * image_seq_len + 1.89833333
    return of_200 + (of_200 - of_10) / 190 * (steps - 200)


class FlowMatchingSchedule:
    """latents = (1 - sigma) * clean + sigma * noise; the denoiser predicts the velocity, noise - clean.

    Sigmas begin at 1, fall evenly, and are shifted: sigma' = s * sigma / (1 + (s - 1) * sigma), so that larger images
    get more of their steps where there is much noise (Esser et al. 2024, "Scaling Rectified Flow Transformers", section
    5.3.2). `shift` is s, the same for every size; with `mu`, a function of the image's tokens and the steps, s is what
    `time_shift` makes of it, and `for_image` must be asked first. A timestep is train_steps * sigma', as in diffusers.

    Strength is a place on the even sigmas before the shift, as on other schedules, and need not be one of the list:
    the first sigma is `strength`, shifted. Diffusers' img2img pipelines take the last int(steps * strength) of the
    list, which is the same wherever steps * strength is whole.

    Args:
        shift: s > 0.
        mu: (image_seq_len, steps at strength 1) -> mu. Not together with a `shift` other than 1.
        time_shift: how s comes of mu.
        model_time: what the denoiser is told.
    """

    kind = ScheduleKind.FLOW_MATCHING
    prediction = Prediction.FLOW

    def __init__(
        self,
        *,
        shift: float = 1.0,
        mu: Callable[[int, int], float] | None = None,
        time_shift: TimeShift = TimeShift.EXPONENTIAL,
        model_time: ModelTime = ModelTime.SIGMA,
        train_steps: int = 1000,
    ) -> None:
        if mu is not None and shift != 1:
            raise ValueError("a schedule is shifted by a constant or by mu, not by both")
        self._shift = shift if mu is None else None
        self._mu = mu
        self._time_shift = time_shift
        self._model_time = model_time
        self.train_steps = train_steps

    @classmethod
    def shifted_by(cls, shift: float | None, image_seq_len: int, steps: int, **options: Any) -> Self:
        """Shifted by a constant, or where that is None by the image's tokens as `LinearMu` has it."""
        if shift is not None:
            return cls(shift=shift, **options)
        return cls(mu=LinearMu(), **options).for_image(image_seq_len, steps)

    def for_image(self, image_seq_len: int, steps: int) -> Self:
        if self._mu is None:
            return self
        mu = self._mu(image_seq_len, steps)
        shifted = copy.copy(self)
        shifted._shift = math.exp(mu) if self._time_shift is TimeShift.EXPONENTIAL else mu
        return shifted

    def timesteps(self, *, steps: int, strength: float) -> list[float]:
        if self._shift is None:
            raise ValueError("this schedule is shifted by the image's size: ask `for_image` first")
        even = trailing_positions(steps, strength)
        sigmas = self._shift * even / (1 + (self._shift - 1) * even)
        return [float(timestep) for timestep in self.timesteps_at(sigmas)]

    def sigmas_at(self, timesteps: Sequence[float] | np.ndarray) -> np.ndarray:
        return np.asarray(timesteps, np.float64) / self.train_steps

    def timesteps_at(self, sigmas: np.ndarray) -> np.ndarray:
        return sigmas * self.train_steps

    def model_timestep(self, timestep: float) -> float:
        match self._model_time:
            case ModelTime.SIGMA:
                return timestep / self.train_steps
            case ModelTime.TIMESTEP:
                return timestep
            case ModelTime.SIGNAL:
                return 1 - timestep / self.train_steps

    def level(self, sigma: float) -> NoiseLevel:
        return NoiseLevel(1 - sigma, sigma)

    def solver_level(self, sigma: float) -> NoiseLevel:
        """The same: (latents - clean) / sigma is the velocity."""
        return self.level(sigma)

    def split(
        self, prediction: torch.Tensor, model_input: torch.Tensor, level: NoiseLevel
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return model_input - level.noise_scale * prediction, model_input + level.signal_scale * prediction

    def scheduler(self, kind: Any, **options: Any) -> Any:
        known = inspect.signature(kind).parameters
        said = {"num_train_timesteps": self.train_steps, "prediction_type": self.prediction, "use_flow_sigmas": True}
        return kind(**{key: value for key, value in said.items() if key in known}, **options)
