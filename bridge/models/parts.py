"""The parts of a checkpoint, and where each of them lies: in a folder of its own, or in a file, perhaps among others.

So a checkpoint may be a diffusers folder, one file with everything, or several files of several programs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from .formats import WeightFormat, format_of
from .hashing import content_hash, known_hash
from .tensor_file import read_header
from .weight_files import weight_files

__all__ = ["InpaintDifference", "Layout", "Part", "folder_part"]


class Layout(StrEnum):
    """What a part or a whole checkpoint lies in."""

    FOLDER = "folder"
    """diffusers': config.json and weights under the names of its classes; a whole one has a model_index.json."""

    FILE = "file"
    """A file with tensors, in an original layout or diffusers'."""


@dataclass(frozen=True)
class Part:
    """A part, by its name in a diffusers folder: a module with weights, a tokenizer, a scheduler's config.

    `files` are those that loading reads, none for what the project ships. In a file, `prefix` begins its tensors'
    names; `config` is the folder with its config.json (`path` in a folder), where `values` take the place of what that
    says. `format` is that of most of its weights.
    """

    name: str
    path: Path
    layout: Layout
    files: tuple[Path, ...] = ()
    prefix: str = ""
    config: Path | None = None
    values: tuple[tuple[str, Any], ...] = ()
    format: WeightFormat = WeightFormat.FLOAT32

    @property
    def title(self) -> str:
        """What its folder or file is called."""
        return self.path.name if self.layout is Layout.FOLDER else self.path.stem

    @property
    def config_file(self) -> Path:
        """Its config.json."""
        return (self.config or self.path) / "config.json"

    def content_hash(self, *, check: Callable[[], None] | None = None) -> str:
        """SHA-256 over `files`, 64 hex digits. `check` is called every few megabytes and may raise to end it."""
        return content_hash(self.path, self.files, check=check)

    def known_hash(self) -> str | None:
        """The same, without reading the files: None until something has hashed them."""
        return known_hash(self.path, self.files)


@dataclass(frozen=True)
class InpaintDifference:
    """What makes a denoiser one for inpainting: it is given what lies between these two, and further channels."""

    base: Part
    inpainting: Part

    def content_hash(self, *, check: Callable[[], None] | None = None) -> str:
        """The hashes of both."""
        return f"{self.inpainting.content_hash(check=check)} - {self.base.content_hash(check=check)}"

    def known_hash(self) -> str | None:
        """The same, without reading the files: None until something has hashed them."""
        inpainting, base = self.inpainting.known_hash(), self.base.known_hash()
        return None if inpainting is None or base is None else f"{inpainting} - {base}"


def folder_part(name: str, path: Path) -> Part:
    """A part with weights that is a folder of diffusers' or transformers'.

    Raises CheckpointUnreadable where it has no weights, only pickles, or not all shards, and as `read_header`.
    """
    weights = weight_files(path)
    first = next(file for file in weights if file.suffix == ".safetensors")
    return Part(name, path, Layout.FOLDER, (path / "config.json", *weights), format=format_of(read_header(first)))
