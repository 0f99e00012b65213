"""Scans a location for paths that may be checkpoints, LoRAs or ControlNets, and names them. Inspects none of them."""

import re
from collections.abc import Callable, Container, Iterator
from pathlib import Path

from .locations import Location
from .names import ENDING, ENDINGS, is_pickle

__all__ = [
    "checkpoint_candidates",
    "component_candidates",
    "controlnet_candidates",
    "embedding_candidates",
    "estimator_candidates",
    "files_below",
    "lora_candidates",
]

_DEPTH = 4
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# InvokeAI 6.9 gives every model a folder of its own, LoRAs too; the smallest whole checkpoint is twice this.
_INVOKE_LEAST_BYTES = 1 << 30
# What diffusers and peft call every LoRA; the folder's name tells which one it is.
_LORA_STEMS = ("pytorch_lora_weights", "adapter_model")
# What diffusers' trainer calls every textual inversion.
_EMBEDDING_STEMS = ("learned_embeds",)
# What diffusers calls the weights of every part; the folder's name tells which one it is.
_PART_STEM = "diffusion_pytorch_model"


def checkpoint_candidates(location: Location) -> Iterator[tuple[str, Path]]:
    """Name and path of everything in the location that could be a checkpoint, in a stable order.

    Raises OSError when the folder cannot be read.
    """
    folder = location.folder
    if location.layout == "hub":
        yield from _in_hub_cache(folder)
    elif folder.is_file() or _is_checkpoint(folder):
        yield folder.name, folder
    elif location.layout == "invoke":
        yield from _in_invokeai(folder)
    else:
        yield from ((path.name, path) for path in _below(folder, _is_checkpoint, without=location.without))


def lora_candidates(location: Location) -> Iterator[tuple[str, Path]]:
    """Name and path of everything in the location that could be a LoRA, in a stable order.

    Raises OSError when the folder cannot be read.
    """
    folder = location.folder
    if location.layout == "hub":
        for name, snapshot in _snapshots(folder):
            files = (path for path in sorted(snapshot.glob("*")) if path.stem in _LORA_STEMS and _is_weights(path))
            yield from ((name if _is_usable(path) else f"{name}{path.suffix}", path) for path in files)
    elif folder.is_file():
        yield _lora_name(folder), folder
    else:
        for path in _below(folder, _is_weights):
            if location.layout != "invoke" or _is_of_kind(path, folder, "lora"):
                yield _lora_name(path), path


def controlnet_candidates(location: Location) -> Iterator[tuple[str, Path]]:
    """Name and path of everything in the location that could be a ControlNet, in a stable order.

    Raises OSError when the folder cannot be read.
    """
    folder = location.folder
    if location.layout == "hub":
        yield from ((name, snapshot) for name, snapshot in _snapshots(folder) if _is_part(snapshot))
    elif folder.is_file():
        yield _part_name(folder), folder
    else:
        for path in _below(folder, lambda path: _is_part(path) or _is_weights(path)):
            if location.layout != "invoke" or _is_of_kind(path, folder, "controlnet"):
                yield _part_name(path), path


def estimator_candidates(location: Location) -> Iterator[tuple[str, Path]]:
    """Name and path of everything in the location that could be an estimator, in a stable order.

    Raises OSError when the folder cannot be read.
    """
    folder = location.folder
    if location.layout == "hub":
        yield from ((name, snapshot) for name, snapshot in _snapshots(folder) if _is_estimator(snapshot))
    elif folder.is_file():
        yield _part_name(folder), folder
    else:
        for path in _below(folder, lambda path: _is_estimator(path) or _is_weights(path)):
            yield _part_name(path), path


def component_candidates(location: Location) -> Iterator[tuple[str, Path]]:
    """Name and path of everything in the location that could be a text encoder or a VAE, in a stable order.

    Raises OSError when the folder cannot be read.
    """
    if location.layout == "hub":
        # What lies there are whole repositories; their checkpoints lend their parts.
        return
    for path in _below(location.folder, lambda path: _is_part(path) or _is_checkpoint_file(path)):
        if location.layout != "invoke" or not is_pickle(path.name):
            yield _part_name(path), path


def embedding_candidates(location: Location) -> Iterator[tuple[str, Path]]:
    """Name and path of everything in the location that could be a textual inversion, in a stable order.

    Raises OSError when the folder cannot be read.
    """
    for path in _below(location.folder, _is_weights):
        yield _file_name(path, of_folder=path.stem in _EMBEDDING_STEMS), path


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


def _is_of_kind(path: Path, root: Path, kind: str) -> bool:
    """Whether something in InvokeAI's folder may be of a kind. Newer folders do not tell, nor do pickles in them."""
    parents = path.relative_to(root).parts[:-1]
    return kind in parents or bool(parents and _UUID.fullmatch(parents[0]) and not is_pickle(path.name))


def _is_usable(path: Path) -> bool:
    return path.suffix.lower() == ENDING and path.is_file()


def _is_weights(path: Path) -> bool:
    """Whether it is a file of weights, if only a pickle, which is listed with that reason."""
    return _is_usable(path) or (is_pickle(path.name) and path.is_file())


def _is_part(path: Path) -> bool:
    return (path / "config.json").is_file() and not (path / "model_index.json").is_file()


def _is_estimator(path: Path) -> bool:
    return (path / "config.json").is_file() or (path / "model_index.json").is_file()


def _part_name(path: Path) -> str:
    if path.is_dir():
        return _folder_name(path)
    return _file_name(path, of_folder=path.stem.startswith(_PART_STEM))


def _lora_name(path: Path) -> str:
    return _file_name(path, of_folder=path.stem in _LORA_STEMS)


def _file_name(path: Path, *, of_folder: bool) -> str:
    """A file's name, or its folder's; a pickle's with its ending, for the same may lie beside it in a usable file."""
    name = _folder_name(path.parent) if of_folder else path.stem
    return name if _is_usable(path) else f"{name}{path.suffix}"


def _folder_name(folder: Path) -> str:
    return f"invoke-{folder.name[:8]}" if _UUID.fullmatch(folder.name) else folder.name


def _is_checkpoint(path: Path) -> bool:
    return not path.name.startswith(".") and ((path / "model_index.json").is_file() or _is_checkpoint_file(path))


def _is_checkpoint_file(path: Path) -> bool:
    """As `_is_weights`, or GGUF."""
    return (path.suffix.lower() in ENDINGS or is_pickle(path.name)) and path.is_file()


def _is_config_beside(path: Path) -> bool:
    """Whether it is the folder `NAME.config` that belongs to a file `NAME.safetensors`."""
    if path.suffix != ".config" or not path.is_dir():
        return False
    return any(beside.stem == path.stem and _is_checkpoint_file(beside) for beside in path.parent.iterdir())


def _below(
    folder: Path, is_one: Callable[[Path], bool], *, without: tuple[str, ...] = (), depth: int = _DEPTH
) -> Iterator[Path]:
    """Every path below for which `is_one` holds, without hidden ones and without these folders.

    A folder below that cannot be read is given too: inspecting it tells so.
    """
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in without or _is_config_beside(path):
            continue
        if is_one(path):
            yield path
        elif depth and path.is_dir() and not _is_checkpoint(path):
            try:
                yield from list(_below(path, is_one, depth=depth - 1))
            except OSError:
                yield path


def _in_invokeai(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in _below(folder, _is_checkpoint):
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
