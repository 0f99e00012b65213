"""Stable Diffusion 1: CLIP's text encoder. What the other families of the line do not claim."""

from ..samplers import DPM_PP_2M
from .family import Family
from .recognition import FolderConfigs, Recognition, is_file_with

__all__ = ["SD1", "recognition"]

SD1 = Family(
    name="SD1",
    title="Stable Diffusion 1",
    takes_regions=True,
    native_pixels=512 * 512,
    multiple=8,
    pixels_per_latent=8,
    latent_channels=4,
    default_steps=20,
    default_guidance=7.0,
    default_sampler=DPM_PP_2M,
)


def _is_folder(configs: FolderConfigs) -> bool:
    return configs.is_stable_diffusion


recognition = Recognition(SD1, _is_folder, is_file_with("cond_stage_model.transformer."))
