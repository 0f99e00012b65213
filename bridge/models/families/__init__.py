"""The families of checkpoints, a module each: facts, and how their checkpoints are recognized by content.

`register` adds one; those that were registered last are asked first. Its architecture is registered with
`bridge.diffusion.register_architecture`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import CheckpointUnsupported, LoraNoCheckpoint
from . import flux2, sd1, sd2, sdxl, z_image
from .family import CONFIGS, Family, TextPart
from .recognition import FIRST_CONVOLUTION, FolderConfigs, Recognition, Shapes
from .variant import Variant, told_variant

__all__ = [
    "CONFIGS",
    "FAMILIES",
    "FIRST_CONVOLUTION",
    "Family",
    "FolderConfigs",
    "Recognition",
    "TextPart",
    "Variant",
    "family_of_folder",
    "family_of_tensors",
    "own_inspection",
    "register",
    "told_variant",
    "variant_of_folder",
]

FAMILIES: dict[str, Family] = {}
"""The families by name."""

_RECOGNITIONS: list[Recognition] = []

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


def register(recognition: Recognition) -> None:
    """Checkpoints of this family are known from now on."""
    FAMILIES[recognition.family.name] = recognition.family
    _RECOGNITIONS.insert(0, recognition)


def family_of_folder(configs: FolderConfigs) -> Family:
    """The family of a diffusers folder.

    Widths are not looked at, so that small checkpoints of the same shape count as family. Raises CheckpointUnsupported
    for what belongs to none.
    """
    for recognition in _RECOGNITIONS:
        if recognition.is_folder(configs):
            return recognition.family
    if "unet" not in configs.index:
        raise CheckpointUnsupported(
            "This is a {kind} folder, which has no UNet of the Stable Diffusion line.",
            kind=configs.index.get("_class_name", "diffusers"),
        )
    raise CheckpointUnsupported(
        "Its UNet is a {kind}, which is not of the Stable Diffusion line.", kind=configs.denoiser.get("_class_name")
    )


def own_inspection(family: Family) -> Callable[[Path], Any] | None:
    """As `Recognition.inspect`."""
    return next(one.inspect for one in _RECOGNITIONS if one.family == family)


def variant_of_folder(family: Family, configs: FolderConfigs, name: str) -> Variant | None:
    """The variant that a folder of that name is: as its configs tell it, or its name, or else the family's first; with
    the shift that its scheduler has.
    """
    said = next(one.variant_of_folder for one in _RECOGNITIONS if one.family == family)(configs)
    told = next((one for one in family.variants if one.name == said), None)
    found = (
        told
        or told_variant(family.variants, metadata={}, hash=None, names=(name,))
        or next(iter(family.variants), None)
    )
    if found is None or configs.scheduler.get("use_dynamic_shifting"):
        return found
    return replace(found, shift=float(configs.scheduler.get("shift", 1)))


def family_of_tensors(shapes: Shapes) -> Family:
    """The family of a single-file checkpoint, by tensor names and shapes.

    Raises CheckpointUnsupported, naming what the file is where that can be told.
    """
    for recognition in _RECOGNITIONS:
        if recognition.is_file(shapes):
            return recognition.family
    if len(shapes.get(FIRST_CONVOLUTION, ())) == 4:
        raise CheckpointUnsupported(
            "This file holds a UNet without a text encoder, so it cannot be told what to paint.",
            hint="Get the whole checkpoint, which holds UNet, VAE and text encoder in one file.",
        )
    if any("lora_" in name or ".lora." in name for name in shapes):
        raise LoraNoCheckpoint("This file is a LoRA, not a checkpoint.", hint="Put it into the folder models/loras.")
    for name, title in _FOREIGN_TENSORS:
        if name in shapes:
            hint = next((hint for word, hint in _WHERE_TO.items() if word in title), "")
            raise CheckpointUnsupported("This file is {title}.", hint=hint, title=title)
    raise CheckpointUnsupported("This file holds tensors, but not those of a Stable Diffusion checkpoint.")


for _recognition in (
    *(sd1.recognition, sd2.recognition, sdxl.recognition),
    *flux2.recognitions,
    z_image.recognition,
):
    register(_recognition)
