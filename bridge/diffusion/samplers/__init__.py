"""Samplers: from noise to latents in few steps, along the noise schedule that the checkpoint was trained with.

`walk` says what a sampler is, `schedule` where its steps lie; `signal`, `sigma` and `solvers` are the samplers, by how
they write noise. All but DDIM step as diffusers' schedulers do, along timesteps of our own.
"""

from collections.abc import Callable
from typing import Any

from ...models.samplers import (
    DDIM,
    DDPM,
    DPM_PP_2M,
    DPM_PP_2M_KARRAS,
    DPM_PP_SDE,
    EULER,
    EULER_A,
    HEUN,
    LCM,
    TCD,
    UNIPC,
)
from .schedule import Schedule, timesteps_for
from .sigma import Euler, EulerAncestral, Heun
from .signal import Ddim, Ddpm, Lcm, Tcd
from .solvers import DpmPlusPlus2M, DpmPlusPlus2MKarras, DpmPlusPlusSde, UniPc
from .walk import Evaluation, Sampler

__all__ = ["Evaluation", "Sampler", "make_sampler", "timesteps_for"]

_KINDS: dict[str, Callable[[Schedule, list[int]], Sampler]] = {
    DDIM: Ddim,
    DDPM: Ddpm,
    EULER: Euler,
    EULER_A: EulerAncestral,
    HEUN: Heun,
    DPM_PP_2M: DpmPlusPlus2M,
    DPM_PP_2M_KARRAS: DpmPlusPlus2MKarras,
    DPM_PP_SDE: DpmPlusPlusSde,
    UNIPC: UniPc,
    LCM: Lcm,
    TCD: Tcd,
}


def make_sampler(name: str, scheduler_config: dict[str, Any], *, steps: int, strength: float) -> Sampler:
    """The sampler that users know as `name`, honouring the checkpoint's schedule and what its UNet predicts.

    Raises KeyError for a name that is not in `bridge.models.SAMPLERS`.
    """
    kind = _KINDS[name]
    schedule = Schedule(scheduler_config)
    return kind(schedule, timesteps_for(steps=steps, strength=strength, train_steps=schedule.train_steps))
