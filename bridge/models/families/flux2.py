"""FLUX.2 Klein: transformers of two sizes over a picture's and a language model's tokens.

Black Forest Labs 2026, "FLUX.2 [klein]", https://bfl.ai/blog/flux2-klein-towards-interactive-visual-intelligence.
"""

from dataclasses import replace

from ..samplers import EULER
from ..schedule import ScheduleKind
from .family import Family, TextPart, WorkingMemory
from .recognition import FolderConfigs, Recognition, Shapes
from .variant import Variant

__all__ = ["FLUX2_KLEIN_4B", "FLUX2_KLEIN_9B", "recognitions"]

FLUX2_KLEIN_4B = Family(
    name="Flux2Klein4B",
    title="FLUX.2 Klein 4B",
    takes_regions=True,
    native_pixels=1024 * 1024,
    native_range=(512 * 512, 1536 * 1024),
    multiple=16,
    pixels_per_latent=16,
    latent_channels=128,
    default_steps=4,
    default_guidance=1.0,
    default_sampler=EULER,
    texts=(TextPart(encoder_class="Qwen3Model", tokenizer_class="Qwen2Tokenizer"),),
    schedule=ScheduleKind.FLOW_MATCHING,
    architecture="flux2",
    denoiser="transformer",
    working_memory=WorkingMemory(denoiser=1150, vae=3100),
    half_precision="bfloat16",
    variants=(
        Variant("distilled", "FLUX.2 Klein 4B", steps=4, guidance=1.0, sampler=EULER, words=("distilled",)),
        Variant("base", "FLUX.2 Klein 4B Base", steps=50, guidance=4.0, sampler=EULER, words=("base",)),
    ),
    denoiser_class="Flux2Transformer2DModel",
    vae_class="AutoencoderKLFlux2",
    pipelines=("Flux2KleinPipeline", "Flux2KleinInpaintPipeline"),
    inpaint_channels=None,
    reference_words="image {number}",
)
FLUX2_KLEIN_9B = replace(
    FLUX2_KLEIN_4B,
    name="Flux2Klein9B",
    title="FLUX.2 Klein 9B",
    working_memory=WorkingMemory(denoiser=1500, vae=3100),
    variants=tuple(replace(one, title=one.title.replace("4B", "9B")) for one in FLUX2_KLEIN_4B.variants),
)

_PREFIXES = ("", "model.diffusion_model.", "diffusion_model.", "transformer.")
# FLUX.2 dev, which is larger and reads prompts by another language model, is told the guidance.
_DEV = ("guidance_in.in_layer.weight", "time_guidance_embed.guidance_embedder.linear_1.weight")
# In the original names, and in diffusers'. FLUX.1 has a modulation in each block.
_MODULATION = ("single_stream_modulation.lin.weight", "single_stream_modulation.linear.weight")
_BLOCK_OF_9B = ("double_blocks.{}.img_attn.proj.weight", "transformer_blocks.{}.attn.to_add_out.weight")
# The sizes differ in width, which small checkpoints of the same structure have not, and in depth.
_BLOCKS_OF_4B = 5


def _is_klein(configs: FolderConfigs) -> bool:
    return configs.index.get("_class_name") in FLUX2_KLEIN_4B.pipelines


def _folder_of_9b(configs: FolderConfigs) -> bool:
    return _is_klein(configs) and configs.denoiser.get("num_layers", _BLOCKS_OF_4B) > _BLOCKS_OF_4B


def _variant(configs: FolderConfigs) -> str | None:
    distilled = configs.index.get("is_distilled")
    return None if distilled is None else "distilled" if distilled else "base"


def _has(shapes: Shapes, names: tuple[str, ...]) -> bool:
    return any(prefix + name in shapes for prefix in _PREFIXES for name in names)


def _is_file(shapes: Shapes) -> bool:
    return _has(shapes, _MODULATION) and not _has(shapes, _DEV)


def _file_of_9b(shapes: Shapes) -> bool:
    return _is_file(shapes) and _has(shapes, tuple(name.format(_BLOCKS_OF_4B) for name in _BLOCK_OF_9B))


# Those that were registered last are asked first.
recognitions = (
    Recognition(FLUX2_KLEIN_4B, _is_klein, _is_file, variant_of_folder=_variant, lora_titles=("Flux 2 Klein 4B",)),
    Recognition(
        FLUX2_KLEIN_9B, _folder_of_9b, _file_of_9b, variant_of_folder=_variant, lora_titles=("Flux 2 Klein 9B",)
    ),
)
