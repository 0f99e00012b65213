"""All that differs between the families of the Stable Diffusion line, told by content.

Each family's facts stand in `FAMILIES`. `family_of_folder` reads the JSON configs of a diffusers folder,
`family_of_tensors` the tensor names and shapes of a single file in the original layout of CompVis and Stability AI.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CheckpointUnsupported, LoraNoCheckpoint
from .samplers import DPM_PP_2M

__all__ = ["CONFIGS", "FAMILIES", "Family", "TextPart", "family_of_folder", "family_of_tensors"]

CONFIGS = Path(__file__).resolve().parent / "configs"
"""The families' configs, a folder each by the family's name, and CLIP's vocabulary in `clip`."""


@dataclass(frozen=True)
class TextPart:
    """A text encoder and its tokenizer, by their names in a diffusers folder, and what is taken of its states.

    `penultimate` takes the states before its last layer and final norm; `pooled` takes its projected state of the whole
    prompt as well. `pad` fills its prompts up, and `file_prefix` begins its tensors' names in a single file.
    """

    encoder: str = "text_encoder"
    tokenizer: str = "tokenizer"
    penultimate: bool = False
    pooled: bool = False
    pad: str = "<|endoftext|>"
    file_prefix: str = "cond_stage_model."


@dataclass(frozen=True)
class Family:
    """What checkpoints of one architecture share.

    `native_pixels` is the pixel count that the family was trained at, `multiple` what picture edges must divide by,
    `vae_scale` pixels per latent along an edge. `texts` condition side by side; `sized` conditions on the picture's
    size; `zero_empty` conditions on zeros for an empty negative prompt, where a checkpoint says nothing else;
    `v_told_by_spread` says that single files predict noise or v and do not say which; `clip_skip` is the layer of the
    text encoders that is read, counted from the last, 1, as the WebUI counts (SD2's weights end before their last).
    """

    name: str
    title: str
    native_pixels: int
    multiple: int
    vae_scale: int
    latent_channels: int
    default_steps: int
    default_guidance: float
    default_sampler: str
    texts: tuple[TextPart, ...] = (TextPart(),)
    sized: bool = False
    zero_empty: bool = False
    v_told_by_spread: bool = False
    clip_skip: int = 1

    @property
    def weighted_parts(self) -> tuple[str, ...]:
        """The parts that have weights, by their names in a diffusers folder."""
        return ("unet", "vae", *(text.encoder for text in self.texts))

    @property
    def scaling_factor(self) -> float:
        """What latents are multiplied by after the VAE, in the family's config."""
        config = CONFIGS / self.name / "vae" / "config.json"
        return float(json.loads(config.read_text(encoding="utf-8"))["scaling_factor"])

    @property
    def file_prefixes(self) -> dict[str, str]:
        """What the names of each part's tensors begin with in a single file."""
        texts = {text.encoder: text.file_prefix for text in self.texts}
        return {"unet": "model.diffusion_model.", "vae": "first_stage_model.", **texts}


_SDXL_TEXTS = (
    TextPart(penultimate=True, file_prefix="conditioner.embedders.0."),
    TextPart("text_encoder_2", "tokenizer_2", True, True, "!", "conditioner.embedders.1."),
)

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("SD1", "Stable Diffusion 1", 512 * 512, 8, 8, 4, 20, 7.0, DPM_PP_2M),
        Family(
            "SD2",
            "Stable Diffusion 2",
            768 * 768,
            8,
            8,
            4,
            20,
            7.0,
            DPM_PP_2M,
            texts=(TextPart(pad="!"),),
            v_told_by_spread=True,
            clip_skip=2,
        ),
        Family(
            "SDXL",
            "Stable Diffusion XL",
            1024 * 1024,
            8,
            8,
            4,
            25,
            5.0,
            DPM_PP_2M,
            texts=_SDXL_TEXTS,
            sized=True,
            zero_empty=True,
            clip_skip=2,
        ),
    )
}

# What a model_index.json says of a part that a folder does without.
_NO_PART = [None, None]

_REFINER = "This is Stable Diffusion XL's refiner, which only finishes what another checkpoint painted."

# Whose text encoder's tensors are named so in a single file: CLIP's alone, OpenCLIP's alone, CLIP's beside OpenCLIP's.
_TEXT_PREFIXES = (
    ("conditioner.embedders.0.model.", None),
    ("conditioner.embedders.1.model.", "SDXL"),
    ("cond_stage_model.model.", "SD2"),
    ("cond_stage_model.transformer.", "SD1"),
)

# One tensor that only this kind of file has, and what to call the kind.
_FOREIGN_TENSORS = (
    ("joint_blocks.0.x_block.attn.qkv.weight", "a Stable Diffusion 3 checkpoint"),
    ("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", "a Stable Diffusion 3 checkpoint"),
    ("double_blocks.0.img_attn.norm.key_norm.scale", "a Flux checkpoint"),
    ("model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale", "a Flux checkpoint"),
    ("control_model.time_embed.0.weight", "a ControlNet, not a checkpoint"),
    ("controlnet_cond_embedding.conv_in.weight", "a ControlNet, not a checkpoint"),
    ("conv_in.weight", "one part of a diffusers folder, not a whole checkpoint"),
    ("encoder.conv_in.weight", "an autoencoder (VAE), not a whole checkpoint"),
    ("first_stage_model.encoder.conv_in.weight", "an autoencoder (VAE), not a whole checkpoint"),
)

_WHERE_TO = {
    "ControlNet": "ControlNets belong into the folder controlnet beside.",
    "VAE": "A checkpoint is given it by `vae` in checkpoints.toml (docs/checkpoints.md).",
}


def family_of_folder(index: Mapping[str, Any], unet: Mapping[str, Any], text_encoder: Mapping[str, Any]) -> Family:
    """The family of a diffusers folder, by its model_index.json and the configs of its UNet and text encoder.

    SD2's text encoder is OpenCLIP's, with an exact GELU where SD1's CLIP has the quick one; SDXL conditions its UNet on
    sizes. The widths are not looked at, so that small checkpoints of the same shape count as family.

    Raises CheckpointUnsupported for anything else.
    """
    if "unet" not in index:
        raise CheckpointUnsupported(
            "This is a {kind} folder, which has no UNet of the Stable Diffusion line.",
            kind=index.get("_class_name", "diffusers"),
        )
    if unet.get("addition_embed_type") == "text_time":
        if index.get("text_encoder", _NO_PART) == _NO_PART:
            raise CheckpointUnsupported(_REFINER, hint="Choose the base checkpoint.")
        return FAMILIES["SDXL"]
    if unet.get("_class_name", "UNet2DConditionModel") != "UNet2DConditionModel":
        raise CheckpointUnsupported(
            "Its UNet is a {kind}, which is not of the Stable Diffusion line.", kind=unet.get("_class_name")
        )
    if text_encoder.get("hidden_act", "quick_gelu") == "gelu" or unet.get("use_linear_projection"):
        return FAMILIES["SD2"]
    return FAMILIES["SD1"]


def family_of_tensors(shapes: Mapping[str, tuple[int, ...]]) -> tuple[Family, int]:
    """The family of a single-file checkpoint and its UNet's input channels, by tensor names and shapes.

    Raises CheckpointUnsupported, naming what the file is where that can be told.
    """
    first = shapes.get("model.diffusion_model.input_blocks.0.0.weight")
    if first is None or len(first) != 4:
        if any("lora_" in name or ".lora." in name for name in shapes):
            raise LoraNoCheckpoint(
                "This file is a LoRA, not a checkpoint.", hint="Put it into the folder models/loras."
            )
        for name, title in _FOREIGN_TENSORS:
            if name in shapes:
                hint = next((hint for word, hint in _WHERE_TO.items() if word in title), "")
                raise CheckpointUnsupported("This file is {title}.", hint=hint, title=title)
        raise CheckpointUnsupported("This file holds tensors, but not those of a Stable Diffusion checkpoint.")
    for prefix, family in _TEXT_PREFIXES:
        if any(name.startswith(prefix) for name in shapes):
            if family is None:
                raise CheckpointUnsupported(_REFINER, hint="Choose the base checkpoint.")
            return FAMILIES[family], first[1]
    raise CheckpointUnsupported(
        "This file holds a UNet without a text encoder, so it cannot be told what to paint.",
        hint="Get the whole checkpoint, which holds UNet, VAE and text encoder in one file.",
    )
