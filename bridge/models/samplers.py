"""The samplers by the names that users know them by. How they step is `bridge.diffusion.sampler`'s subject."""

__all__ = ["DDIM", "DPM_PP_2M", "SAMPLERS"]

DDIM = "DDIM"
DPM_PP_2M = "DPM++ 2M"

SAMPLERS: tuple[str, ...] = (DPM_PP_2M, DDIM)
