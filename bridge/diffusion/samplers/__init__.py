"""Samplers: from noise to clean latents in few steps, along the noise schedule that the denoiser was trained with.

`base` says what a sampler is. Every other module is one algorithm.
"""

from collections.abc import Callable

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
    check_sampler,
)
from ..schedules import NoiseSchedule
from .base import Evaluation, Sampler
from .ddim import Ddim
from .ddpm import Ddpm
from .dpm_pp_2m import DpmPlusPlus2M, DpmPlusPlus2MKarras
from .dpm_pp_sde import DpmPlusPlusSde
from .euler import Euler
from .euler_ancestral import EulerAncestral
from .heun import Heun
from .lcm import Lcm
from .tcd import Tcd
from .unipc import UniPc

__all__ = ["Evaluation", "Sampler", "make_sampler"]

_SAMPLERS: dict[str, Callable[..., Sampler]] = {
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


def make_sampler(name: str, schedule: NoiseSchedule, *, steps: int, strength: float) -> Sampler:
    """The sampler that users know as `name`, for one run of `steps` at strength 1, or their share at less (0..1].

    A schedule that is shifted by the sequence length is one of `NoiseSchedule.for_image`.

    Raises SamplerUnsupported for a name that there is not, or for a sampler that does not take such a schedule.
    """
    check_sampler(name, schedule.kind)
    return _SAMPLERS[name](schedule, steps=steps, strength=strength)
