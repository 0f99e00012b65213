"""Stable Diffusion XL: CLIP's and OpenCLIP's text encoders side by side, and conditioned on sizes."""

from ..errors import CheckpointUnsupported
from ..samplers import DPM_PP_2M
from .family import Family, TextPart, WorkingMemory
from .recognition import FolderConfigs, Recognition, Shapes, is_file_with

__all__ = ["SDXL", "recognition"]

SDXL = Family(
    name="SDXL",
    title="Stable Diffusion XL",
    takes_regions=True,
    native_pixels=1024 * 1024,
    multiple=8,
    pixels_per_latent=8,
    latent_channels=4,
    default_steps=25,
    default_guidance=5.0,
    default_sampler=DPM_PP_2M,
    texts=(
        TextPart(penultimate=True, file_prefix="conditioner.embedders.0."),
        TextPart("text_encoder_2", "tokenizer_2", True, True, "!", "conditioner.embedders.1."),
    ),
    uses_time_ids=True,
    force_zeros_for_empty_prompt=True,
    clip_skip=2,
    reference_roles=("subject", "style", "layout"),
    working_memory=WorkingMemory(denoiser=170, vae=3100),
)

# What a model_index.json says of a part that a folder does without.
_NO_PART = [None, None]


def _is_folder(configs: FolderConfigs) -> bool:
    if configs.denoiser.get("addition_embed_type") != "text_time":
        return False
    if configs.index.get("text_encoder", _NO_PART) == _NO_PART:
        raise _refiner()
    return True


_has_open_clip_second = is_file_with("conditioner.embedders.1.model.")
_has_open_clip_first = is_file_with("conditioner.embedders.0.model.")


def _is_file(shapes: Shapes) -> bool:
    # The refiner has OpenCLIP's encoder alone, where CLIP's would be.
    if _has_open_clip_first(shapes):
        raise _refiner()
    return _has_open_clip_second(shapes)


def _refiner() -> CheckpointUnsupported:
    return CheckpointUnsupported(
        "This is Stable Diffusion XL's refiner, which only finishes what another checkpoint painted.",
        hint="Choose the base checkpoint.",
    )


recognition = Recognition(SDXL, _is_folder, _is_file)
