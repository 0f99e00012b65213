"""Z-Image: a transformer over a picture's and a language model's tokens (Z-Image Team 2025, arXiv 2511.22699)."""

from ..samplers import EULER
from ..schedule import ScheduleKind
from .family import Family, TextPart, WorkingMemory
from .recognition import FolderConfigs, Recognition, Shapes
from .variant import Variant

__all__ = ["Z_IMAGE", "recognition"]

Z_IMAGE = Family(
    name="ZImage",
    title="Z-Image",
    native_pixels=1024 * 1024,
    native_range=(512 * 512, 1536 * 1024),
    multiple=16,
    pixels_per_latent=8,
    latent_channels=16,
    default_steps=9,
    default_guidance=1.0,
    default_sampler=EULER,
    texts=(TextPart(encoder_class="Qwen3Model", tokenizer_class="Qwen2Tokenizer"),),
    schedule=ScheduleKind.FLOW_MATCHING,
    architecture="z_image",
    denoiser="transformer",
    working_memory=WorkingMemory(denoiser=520, vae=3100),
    half_precision="bfloat16",
    # Guidance as here, where 1 is off: Z-Image's own is 1 less.
    variants=(
        Variant(
            "turbo",
            "Z-Image Turbo",
            steps=9,
            guidance=1.0,
            sampler=EULER,
            shift=3.0,
            words=("turbo",),
            # In fp8, as Krita AI Diffusion fetches it.
            hashes=("56c06ad6cb80941e8203d3e248a16ad1263499ba870f2c1931aa724fdc7c25d3",),
        ),
        Variant("base", "Z-Image", shift=6.0, steps=30, guidance=5.0, sampler=EULER, words=("base",)),
    ),
    denoiser_class="ZImageTransformer2DModel",
    pipelines=("ZImagePipeline", "ZImageImg2ImgPipeline", "ZImageInpaintPipeline"),
    inpaint_channels=None,
)

_PREFIXES = ("", "model.diffusion_model.")
# In the original names, and in diffusers'.
_FIRST = ("x_embedder.weight", "all_x_embedder.2-1.weight")


def _is_folder(configs: FolderConfigs) -> bool:
    return configs.index.get("_class_name") in Z_IMAGE.pipelines


def _variant(configs: FolderConfigs) -> str | None:
    shift = configs.scheduler.get("shift")
    return next((one.name for one in Z_IMAGE.variants if one.shift == shift), None)


def _is_file(shapes: Shapes) -> bool:
    # Lumina 2 has the same names, but for one layer more before the modulation's.
    return any(f"{prefix}layers.0.adaLN_modulation.0.weight" in shapes for prefix in _PREFIXES) and any(
        f"{prefix}{name}" in shapes for prefix in _PREFIXES for name in _FIRST
    )


recognition = Recognition(
    Z_IMAGE,
    _is_folder,
    _is_file,
    variant_of_folder=_variant,
    # A few layers do not tell it from Lumina 2, which is not painted with.
    lora_titles=("Z-Image", "Z-Image or Lumina 2"),
)
