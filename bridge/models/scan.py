"""What lies in a place: what could be checkpoints, LoRAs or ControlNets, and its name. Judging it is not done here."""

import re
from collections.abc import Container, Iterator
from pathlib import Path

from .places import Place

__all__ = ["candidates", "controlnet_candidates", "files_below", "lora_candidates"]

_DEPTH = 4
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# InvokeAI 6.9 gives every model a folder of its own, LoRAs too; the smallest whole checkpoint is twice this.
_INVOKE_LEAST_BYTES = 1 << 30
# What diffusers and peft call every LoRA; the folder's name tells which one it is.
_LORA_STEMS = ("pytorch_lora_weights", "adapter_model")
# What diffusers calls the weights of every part; the folder's name tells which one it is.
_PART_STEM = "diffusion_pytorch_model"


def candidates(place: Place) -> Iterator[tuple[str, Path]]:
    """Name and path of everything in the place that could be a checkpoint, in a stable order.

    Raises OSError when the folder cannot be read.
    """
    folder = place.folder
    if place.layout == "hub":
        yield from _in_hub_cache(folder)
    elif folder.is_file() or _is_checkpoint(folder):
        yield folder.name, folder
    elif place.layout == "flat":
        yield from ((path.name, path) for path in sorted(folder.iterdir()) if _is_checkpoint(path))
    elif place.layout == "invoke":
        yield from _in_invokeai(folder)
    else:
        yield from ((path.name, path) for path in _below(folder))


def lora_candidates(place: Place) -> Iterator[tuple[str, Path]]:
    """Name and path of everything in the place that could be a LoRA, in a stable order.

    Raises OSError when the folder cannot be read.
    """
    folder = place.folder
    if place.layout == "hub":
        for name, snapshot in _snapshots(folder):
            yield from ((name, path) for path in sorted(snapshot.glob("*.safetensors")) if path.stem in _LORA_STEMS)
    elif folder.is_file():
        yield _lora_name(folder), folder
    else:
        for path in _files_below(folder):
            parents = path.relative_to(folder).parts[:-1]
            if place.layout != "invoke" or "lora" in parents or (parents and _UUID.fullmatch(parents[0])):
                yield _lora_name(path), path


def controlnet_candidates(place: Place) -> Iterator[tuple[str, Path]]:
    """Name and path of everything in the place that could be a ControlNet, in a stable order.

    Raises OSError when the folder cannot be read.
    """
    folder = place.folder
    if place.layout == "hub":
        yield from ((name, snapshot) for name, snapshot in _snapshots(folder) if _is_part(snapshot))
    elif folder.is_file():
        yield folder.stem, folder
    else:
        for path in _parts_below(folder):
            parents = path.relative_to(folder).parts[:-1]
            if place.layout != "invoke" or "controlnet" in parents or (parents and _UUID.fullmatch(parents[0])):
                yield _part_name(path), path


def files_below(folder: Path, endings: Container[str], depth: int = _DEPTH) -> Iterator[Path]:
    """Files with one of these endings, in lower case, in a stable order; hidden ones are left out.

    Raises OSError when a folder cannot be read.
    """
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if depth:
                yield from files_below(path, endings, depth - 1)
        elif path.suffix.lower() in endings and path.is_file():
            yield path


def _parts_below(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if _is_part(path) or (path.suffix == ".safetensors" and path.is_file()):
            yield path
        elif depth and path.is_dir() and not _is_checkpoint(path):
            yield from _parts_below(path, depth - 1)


def _is_part(path: Path) -> bool:
    return (path / "config.json").is_file() and not (path / "model_index.json").is_file()


def _part_name(path: Path) -> str:
    if path.is_dir():
        return _folder_name(path)
    return _folder_name(path.parent) if path.stem.startswith(_PART_STEM) else path.stem


def _lora_name(path: Path) -> str:
    return _folder_name(path.parent) if path.stem in _LORA_STEMS else path.stem


def _folder_name(folder: Path) -> str:
    return f"invoke-{folder.name[:8]}" if _UUID.fullmatch(folder.name) else folder.name


def _files_below(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix == ".safetensors" and path.is_file():
            yield path
        elif depth and path.is_dir() and not _is_checkpoint(path):
            yield from _files_below(path, depth - 1)


def _is_checkpoint(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    return (path / "model_index.json").is_file() or (path.suffix == ".safetensors" and path.is_file())


def _below(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if _is_checkpoint(path):
            yield path
        elif depth and not path.name.startswith(".") and path.is_dir():
            yield from _below(path, depth - 1)


def _in_invokeai(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in _below(folder):
        parents = path.relative_to(folder).parts
        if path.is_dir():
            yield _folder_name(path), path
        elif "main" in parents or (_UUID.fullmatch(parents[0]) and path.stat().st_size >= _INVOKE_LEAST_BYTES):
            yield path.name, path


def _in_hub_cache(folder: Path) -> Iterator[tuple[str, Path]]:
    yield from ((name, snapshot) for name, snapshot in _snapshots(folder) if _is_checkpoint(snapshot))


def _snapshots(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each repository's snapshots: the one that `refs/main` names goes by the repository's name."""
    for repository in sorted(folder.glob("models--*")):
        name = repository.name.split("--")[-1]
        references = {
            path.read_text(encoding="utf-8").strip(): path.relative_to(repository / "refs").as_posix()
            for path in sorted((repository / "refs").rglob("*"), reverse=True)
            if path.is_file()
        }
        for snapshot in sorted((repository / "snapshots").glob("*")):
            reference = references.get(snapshot.name, snapshot.name[:8])
            yield name if reference == "main" else f"{name} ({reference})", snapshot
