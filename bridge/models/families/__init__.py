"""The families of checkpoints, a module each: facts, and how their checkpoints are recognized by content.

`register` adds one; those that were registered last are asked first. Its architecture is registered with
`bridge.diffusion.register_architecture`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import CheckpointUnsupported, LoraNoCheckpoint
from . import flux1, flux2, sd1, sd2, sdxl, z_image
from .family import CONFIGS, Family, TextPart
from .foreign import ForeignModel, foreign_file, foreign_folder
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
    "check_at_home",
    "config_of_file",
    "family_of_folder",
    "family_of_lora_title",
    "family_of_tensors",
    "own_inspection",
    "register",
    "told_variant",
    "variant_of_configs",
    "variant_of_folder",
]

FAMILIES: dict[str, Family] = {}
"""The families by name."""

_RECOGNITIONS: list[Recognition] = []

# One tensor that only this kind of file has, and what to call the kind.
_FOREIGN_TENSORS = (
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


def check_at_home(index: Mapping[str, Any]) -> None:
    """Raises CheckpointUnsupported for a model_index.json of a model that is known, and not painted with."""
    if (foreign := foreign_folder(index)) is not None:
        raise _not_at_home(foreign)


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


def _not_at_home(model: ForeignModel) -> CheckpointUnsupported:
    return CheckpointUnsupported(
        "This is {model}, which Paintbridge does not paint with yet.",
        hint="It paints with {families}.",
        model=model.title,
        families=", ".join(family.title for family in FAMILIES.values()),
    )


def own_inspection(family: Family) -> Callable[[Path], Any] | None:
    """As `Recognition.inspect`."""
    return next(one.inspect for one in _RECOGNITIONS if one.family == family)


def config_of_file(family: Family, shapes: Shapes) -> Mapping[str, Any]:
    """As `Recognition.config_of_file`."""
    return next(one.config_of_file for one in _RECOGNITIONS if one.family == family)(shapes)


def variant_of_folder(family: Family, configs: FolderConfigs, name: str) -> Variant | None:
    """The variant that a folder of that name is: as its configs tell it, or its name, or else the family's first; with
    the shift that its scheduler has.
    """
    found = variant_of_configs(family, configs) or told_variant(family.variants, metadata={}, hash=None, names=(name,))
    found = found or next(iter(family.variants), None)
    if found is None:
        return None
    dynamic = configs.scheduler.get("use_dynamic_shifting")
    return replace(found, shift=None if dynamic else float(configs.scheduler.get("shift", 1)))


def variant_of_configs(family: Family, configs: FolderConfigs) -> Variant | None:
    """The variant that configs tell; None: they do not."""
    said = next(one.variant_of_folder for one in _RECOGNITIONS if one.family == family)(configs)
    return next((one for one in family.variants if one.name == said), None)


def family_of_lora_title(title: str | None) -> Family | None:
    """As `Recognition.lora_titles`; None where no family calls its LoRAs so."""
    return next((one.family for one in _RECOGNITIONS if title in one.lora_titles), None)


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
    if (foreign := foreign_file(shapes)) is not None:
        raise _not_at_home(foreign)
    for name, title in _FOREIGN_TENSORS:
        if name in shapes:
            hint = next((hint for word, hint in _WHERE_TO.items() if word in title), "")
            raise CheckpointUnsupported("This file is {title}.", hint=hint, title=title)
    raise CheckpointUnsupported("This file holds tensors, but of no kind of checkpoint that Paintbridge knows.")


for _recognition in (
    *(sd1.recognition, sd2.recognition, sdxl.recognition),
    flux1.recognition,
    *flux2.recognitions,
    z_image.recognition,
):
    register(_recognition)
