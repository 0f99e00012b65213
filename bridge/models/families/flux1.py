"""FLUX.1: a transformer over a picture's tokens and T5's, told what CLIP pools of the prompt.

Black Forest Labs 2024, https://github.com/black-forest-labs/flux.
"""

from collections.abc import Mapping
from typing import Any

from ..samplers import EULER
from ..schedule import ScheduleKind
from .family import Family, TextPart, WorkingMemory
from .recognition import FolderConfigs, Recognition, Shapes
from .variant import Variant

__all__ = ["FLUX1", "recognition"]

FLUX1 = Family(
    name="Flux1",
    title="FLUX.1",
    takes_regions=True,
    native_pixels=1024 * 1024,
    multiple=16,
    native_range=(512 * 512, 1536 * 1024),
    pixels_per_latent=8,
    latent_channels=16,
    default_steps=28,
    default_guidance=3.5,
    default_sampler=EULER,
    texts=(
        TextPart(),
        TextPart("text_encoder_2", "tokenizer_2", encoder_class="T5EncoderModel", tokenizer_class="T5Tokenizer"),
    ),
    schedule=ScheduleKind.FLOW_MATCHING,
    architecture="flux1",
    denoiser="transformer",
    variants=(
        Variant("dev", "FLUX.1 dev", steps=28, guidance=3.5, sampler=EULER, shift=None),
        Variant(
            "krea",
            "FLUX.1 Krea",
            steps=28,
            guidance=4.5,
            sampler=EULER,
            shift=None,
            words=("krea",),
            # Comfy-Org's, fp8 scaled.
            hashes=("b17a8c21703c4d6ffb0e300dd920eff3cfd35c9a72a1abaf107e3788e408b8d8",),
        ),
        Variant("schnell", "FLUX.1 schnell", steps=4, guidance=1.0, sampler=EULER),
        Variant("fill", "FLUX.1 Fill", steps=28, guidance=30.0, sampler=EULER, shift=None),
        Variant(
            "kontext",
            "FLUX.1 Kontext",
            steps=28,
            guidance=2.5,
            sampler=EULER,
            shift=None,
            words=("kontext",),
            # Comfy-Org's, fp8 scaled.
            hashes=("630ba795ec64283b4230ea23cf79406c2c68b7c578229ed139f30043eadb30a2",),
            at_home=False,
        ),
    ),
    denoiser_class="FluxTransformer2DModel",
    pipelines=("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline", "FluxFillPipeline"),
    inpaint_channels=384,
    working_memory=WorkingMemory(denoiser=490, vae=3100),
    half_precision="bfloat16",
)

_PREFIXES = ("", "model.diffusion_model.", "diffusion_model.", "transformer.")
# In the original names, and in diffusers'. FLUX.2's blocks share their modulations.
_MARKS = (
    ("double_blocks.0.img_mod.lin.weight", "img_in.weight", "vector_in.in_layer.weight"),
    (
        "single_transformer_blocks.0.proj_mlp.weight",
        "x_embedder.weight",
        "time_text_embed.text_embedder.linear_1.weight",
    ),
)
_GUIDANCE = ("guidance_in.in_layer.weight", "time_text_embed.guidance_embedder.linear_1.weight")


def _is_folder(configs: FolderConfigs) -> bool:
    return configs.index.get("_class_name") in FLUX1.pipelines


def _is_file(shapes: Shapes) -> bool:
    return any(all(prefix + name in shapes for name in marks) for prefix in _PREFIXES for marks in _MARKS)


def _config_of_file(shapes: Shapes) -> Mapping[str, Any]:
    embedder = shapes.get("img_in.weight") or shapes.get("x_embedder.weight") or (0, 0)
    return {"guidance_embeds": any(name in shapes for name in _GUIDANCE), "in_channels": embedder[-1]}


def _variant(configs: FolderConfigs) -> str | None:
    """By its channels, or by whether it is told the guidance; dev and Krea differ in their weights alone."""
    if configs.denoiser.get("in_channels") == FLUX1.inpaint_channels:
        return "fill"
    return None if configs.denoiser.get("guidance_embeds", False) else "schnell"


recognition = Recognition(
    FLUX1,
    _is_folder,
    _is_file,
    config_of_file=_config_of_file,
    variant_of_folder=_variant,
    lora_titles=("Flux 1", "Flux"),
)
