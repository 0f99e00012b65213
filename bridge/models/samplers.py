"""The samplers by the names that users know them by. How they step is `bridge.diffusion.samplers`' subject."""

from .errors import SamplerUnsupported
from .schedule import ScheduleKind

__all__ = [
    "DDIM",
    "DDPM",
    "DPM_PP_2M",
    "DPM_PP_2M_KARRAS",
    "DPM_PP_SDE",
    "EULER",
    "EULER_A",
    "FEW_STEP_SAMPLERS",
    "HEUN",
    "LCM",
    "SAMPLERS",
    "TCD",
    "UNIPC",
    "check_sampler",
    "samplers_for",
]

DDIM = "DDIM"
DDPM = "DDPM"
EULER = "Euler"
EULER_A = "Euler a"
HEUN = "Heun"
DPM_PP_2M = "DPM++ 2M"
DPM_PP_2M_KARRAS = "DPM++ 2M Karras"
DPM_PP_SDE = "DPM++ SDE"
UNIPC = "UniPC"
LCM = "LCM"
TCD = "TCD"

SAMPLERS: tuple[str, ...] = (
    DPM_PP_2M,
    DPM_PP_2M_KARRAS,
    DPM_PP_SDE,
    EULER,
    EULER_A,
    HEUN,
    UNIPC,
    DDIM,
    DDPM,
    LCM,
    TCD,
)

FEW_STEP_SAMPLERS: tuple[str, ...] = (LCM, TCD)
"""Made for distilled checkpoints, which want a few steps and hardly any guidance."""

_FOR_FLOWS = (DPM_PP_2M, EULER, HEUN)


def samplers_for(kind: ScheduleKind) -> tuple[str, ...]:
    """Those of `SAMPLERS` that take noise schedules of a kind."""
    return _FOR_FLOWS if kind is ScheduleKind.FLOW_MATCHING else SAMPLERS


def check_sampler(name: str, kind: ScheduleKind) -> None:
    """Raises SamplerUnsupported for a name that there is not, and for a sampler that does not take such a schedule."""
    if name not in SAMPLERS:
        raise SamplerUnsupported(
            "There is no sampler named {sampler}.",
            hint="Choose one of {samplers}.",
            sampler=repr(name),
            samplers=", ".join(samplers_for(kind)),
        )
    if name not in samplers_for(kind):
        raise SamplerUnsupported(
            "The sampler {name} does not work with a checkpoint that was trained by flow matching.",
            hint="Choose one of {samplers}.",
            name=name,
            samplers=", ".join(samplers_for(kind)),
        )
