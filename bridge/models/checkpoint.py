"""What is known of a checkpoint without loading it. `inspection` tells it of what lies on a disk."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from .card import Card
from .components import Want
from .families import Family, Variant
from .hashing import content_hash, known_hash
from .parts import InpaintDifference, Layout, Part
from .schedule import Prediction

__all__ = ["Checkpoint", "DenoiserShape", "FillMethod"]


class FillMethod(StrEnum):
    """How a checkpoint without further channels is told what to repaint."""

    DIFFERENCE = "difference"
    """By the channels that its base's inpainting checkpoint has, whose training it is given."""

    CONTROLNET = "controlnet"
    """By a ControlNet for inpainting."""

    BLEND = "blend"
    """Not at all: what is outside the mask is held."""


@dataclass(frozen=True)
class DenoiserShape:
    """What guides must fit of a UNet: its first channels, and its cross-attention's width."""

    channels: int
    width: int

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> "DenoiserShape":
        """By a config.json; 0 where that says nothing."""
        channels, width = config.get("block_out_channels"), config.get("cross_attention_dim")
        first = channels[0] if isinstance(channels, list) and channels else 0
        return cls(first, width if isinstance(width, int) else 0)


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk.

    `layout` says what it is: a folder, or a file, which may need others. `inpaint` says that its denoiser takes further
    channels (mask, masked picture);
    `prediction` is what the denoiser predicts, `zero_terminal_snr` says that its noise schedule ends in
    noise alone; `force_zeros_for_empty_prompt` that an empty negative prompt conditions on zeros. `files` are those
    of its own that loading reads. `parts` says where each part lies, `wants` what it must be completed by
    (`completion`). `variant` is which of its family's it is; None: there are none. `clip_skip` is the layer of its text
    encoders that it reads, counted from the last, 1; None: the family's. `told` is what `checkpoint_settings` says of
    it that its files do not. `difference` is what its denoiser is given to fill; `fills_by` is how it should, None: by
    what is there; `stands_for` says that it is its family's base, or the inpainting checkpoint of that
    (`inpaint_difference`).
    """

    id: str
    path: Path
    layout: Layout
    family: Family
    inpaint: bool
    prediction: Prediction
    zero_terminal_snr: bool
    force_zeros_for_empty_prompt: bool
    card: Card
    files: tuple[Path, ...]
    shape: DenoiserShape
    clip_skip: int | None = None
    parts: tuple[Part, ...] = ()
    wants: tuple[Want, ...] = ()
    variant: Variant | None = None
    told: tuple[str, ...] = ()
    difference: InpaintDifference | None = None
    fills_by: FillMethod | None = None
    stands_for: str | None = None

    def part(self, name: str) -> Part:
        """The part of that name in a diffusers folder. Raises KeyError where it has none."""
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)

    def with_part(self, part: Part) -> "Checkpoint":
        """This checkpoint with a part in place of its own, or of what it wants."""
        return replace(
            self,
            parts=(*(one for one in self.parts if one.name != part.name), part),
            wants=tuple(one for one in self.wants if one.part != part.name),
        )

    @property
    def apart(self) -> tuple[Part, ...]:
        """Its parts that lie in other files than its own, as far as they are no part of Paintbridge."""
        return tuple(part for part in self.parts if not set(part.files) <= set(self.files))

    @property
    def native_range(self) -> tuple[int, int] | None:
        """The family's, for the native size of this checkpoint, which its card may say is another."""
        if self.family.native_range is None:
            return None
        least, most = (
            round(one * self.card.native_pixels / self.family.native_pixels) for one in self.family.native_range
        )
        return least, most

    @property
    def layers_skipped(self) -> int:
        """How many layers before its family's the text encoders are read at."""
        return max(0, (self.clip_skip or 0) - self.family.clip_skip)

    @property
    def hash(self) -> str:
        """As `content_hash`."""
        return self.content_hash()

    def content_hash(self, *, check: Callable[[], None] | None = None) -> str:
        """SHA-256 over `files`, and over its variant's shift, what it was told and its parts in other files, if any.

        As 64 hex digits. The first call reads all files; later ones remember. `check` is called every few megabytes and
        may raise to end the reading.
        """
        files = content_hash(self.path, self.files, check=check)
        apart = {part.name: part.content_hash(check=check) for part in self.apart}
        if self.difference is not None:
            apart["difference"] = self.difference.content_hash(check=check)
        return self._with_settings(files, apart)

    def known_hash(self) -> str | None:
        """The same, without reading the files: None until something has hashed them."""
        files = known_hash(self.path, self.files)
        apart = {part.name: part.known_hash() for part in self.apart}
        if self.difference is not None:
            apart["difference"] = self.difference.known_hash()
        known = {name: one for name, one in apart.items() if one is not None}
        return None if files is None or len(known) < len(apart) else self._with_settings(files, known)

    def _with_settings(self, files: str, apart: Mapping[str, str]) -> str:
        # A file's name may tell the variant, and that its noise schedule.
        shift = () if self.variant is None else (f"shift = {self.variant.shift}",)
        said = sorted((*self.told, *shift))
        if not said and not apart:
            return files
        lines = [files, *said, *(f"{name} = {one}" for name, one in sorted(apart.items()))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
