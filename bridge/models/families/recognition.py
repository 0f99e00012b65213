"""How a family tells its checkpoints: by the JSON configs of a diffusers folder, or by a single file's tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .family import Family

__all__ = ["FIRST_CONVOLUTION", "FolderConfigs", "Recognition", "Shapes", "is_file_with"]

Shapes = Mapping[str, tuple[int, ...]]
"""A single file's tensors by name."""

FIRST_CONVOLUTION = "model.diffusion_model.input_blocks.0.0.weight"
"""What each single file of the Stable Diffusion line has, (channels, input channels, 3, 3)."""


@dataclass(frozen=True)
class FolderConfigs:
    """A diffusers folder's model_index.json, and its denoiser's, text encoder's and scheduler's configs; empty where it
    has none.
    """

    index: Mapping[str, Any]
    denoiser: Mapping[str, Any]
    text_encoder: Mapping[str, Any]
    scheduler: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_stable_diffusion(self) -> bool:
        """Whether the denoiser is of the Stable Diffusion line."""
        return (
            "unet" in self.index and self.denoiser.get("_class_name", "UNet2DConditionModel") == "UNet2DConditionModel"
        )


@dataclass(frozen=True)
class Recognition:
    """A family, and what tells its checkpoints; either may raise CheckpointUnsupported for what nearly is one.

    `inspect` makes the `Checkpoint` of one that was told; None: by the family's facts. `config_of_file` is what tensors
    of a file, by their names without what begins them all, tell of the denoiser's config in place of the family's.
    `variant_of_folder` gives the name of the variant that configs tell, if any; of a file they are the family's.
    `lora_titles` are what `lora_family` calls its LoRAs, by their layers' names and widths or by their trainers' words.
    """

    family: Family
    is_folder: Callable[[FolderConfigs], bool]
    is_file: Callable[[Shapes], bool]
    inspect: Callable[[Path], Any] | None = None
    config_of_file: Callable[[Shapes], Mapping[str, Any]] = lambda _: {}
    variant_of_folder: Callable[[FolderConfigs], str | None] = lambda _: None
    lora_titles: tuple[str, ...] = ()


def is_file_with(prefix: str) -> Callable[[Shapes], bool]:
    """Tells single files of the Stable Diffusion line by what the names of their text encoder's tensors begin with."""
    return lambda shapes: (
        len(shapes.get(FIRST_CONVOLUTION, ())) == 4 and any(name.startswith(prefix) for name in shapes)
    )
