"""The samplers by the names that users know them by. How they step is `bridge.diffusion.samplers`' subject."""

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
