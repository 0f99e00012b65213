"""Stable Diffusion 2: OpenCLIP's text encoder, with an exact GELU where SD1's CLIP has the quick one."""

from ..samplers import DPM_PP_2M
from .family import Family, TextPart
from .recognition import FolderConfigs, Recognition, is_file_with

__all__ = ["SD2", "recognition"]

SD2 = Family(
    name="SD2",
    title="Stable Diffusion 2",
    takes_regions=True,
    native_pixels=768 * 768,
    multiple=8,
    pixels_per_latent=8,
    latent_channels=4,
    default_steps=20,
    default_guidance=7.0,
    default_sampler=DPM_PP_2M,
    texts=(TextPart(pad="!"),),
    v_told_by_spread=True,
    clip_skip=2,
)


def _is_folder(configs: FolderConfigs) -> bool:
    exact = configs.text_encoder.get("hidden_act", "quick_gelu") == "gelu"
    return configs.is_stable_diffusion and (exact or bool(configs.denoiser.get("use_linear_projection")))


recognition = Recognition(SD2, _is_folder, is_file_with("cond_stage_model.model."))
