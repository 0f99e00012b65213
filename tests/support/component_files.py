"""A checkpoint as files, with all of its parts or each by itself, in the original layouts or diffusers'."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from single_files import original_vae

__all__ = ["PartFile", "clip_file", "flux_vae_file", "save_as_files"]

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class PartFile:
    """A part as artists have it: its file's name, what begins its tensors' names in a file of all parts, and how they
    are named in the original layout. `common` is done in any layout.
    """

    file: str
    prefix: str
    original: Callable[[Tensors], Tensors] = dict
    common: Callable[[Tensors], Tensors] = dict


def clip_file(file: str, prefix: str) -> PartFile:
    """CLIP's text encoder: since transformers 5.6 its names begin one level deeper than in files."""
    return PartFile(file, prefix, common=lambda found: {f"text_model.{name}": one for name, one in found.items()})


def flux_vae_file(checkpoint: Path) -> PartFile:
    """The VAE of FLUX.1's kind of a diffusers folder."""
    return PartFile("ae", "vae.", lambda _: original_vae(checkpoint / "vae"))


def save_as_files(
    checkpoint: Path, folder: Path, parts: Mapping[str, PartFile], *, name: str, whole: bool, original: bool
) -> Path:
    """Writes a folder's parts as files; returns the one with the transformer, in which all are where it is `whole`.

    Its configs, which are of other sizes than the published ones', and its tokenizers lie beside it.
    """
    tensors: dict[str, Tensors] = {}
    for part, file in parts.items():
        weights = file.common(load_file(next((checkpoint / part).glob("*.safetensors"))))
        tensors[part] = file.original(weights) if original else weights
    shutil.copytree(
        checkpoint, folder / f"{name}.config", ignore=shutil.ignore_patterns("*.safetensors", "model_index.json")
    )
    path = folder / f"{name}.safetensors"
    if whole:
        named = [(parts[part].prefix, of_part) for part, of_part in tensors.items()]
        _save({prefix + key: one for prefix, of_part in named for key, one in of_part.items()}, path)
        return path
    for part, file in parts.items():
        _save(tensors[part], path if part == "transformer" else folder / f"{file.file}.safetensors")
    return path


def _save(tensors: Tensors, path: Path) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
