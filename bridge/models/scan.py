"""What lies in a place: paths that could be checkpoints, and what to call them. Judging them is `checkpoint`'s task."""

import re
from collections.abc import Iterator
from pathlib import Path

from .places import Place

__all__ = ["candidates"]

_DEPTH = 4
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# InvokeAI 6.9 gives every model a folder of its own, LoRAs too; the smallest whole checkpoint is twice this.
_INVOKE_LEAST_BYTES = 1 << 30


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
            yield f"invoke-{path.name[:8]}" if _UUID.fullmatch(path.name) else path.name, path
        elif "main" in parents or (_UUID.fullmatch(parents[0]) and path.stat().st_size >= _INVOKE_LEAST_BYTES):
            yield path.name, path


def _in_hub_cache(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each repository's snapshots: the one that `refs/main` names goes by the repository's name."""
    for repository in sorted(folder.glob("models--*")):
        name = repository.name.split("--")[-1]
        references = {
            path.read_text(encoding="utf-8").strip(): path.relative_to(repository / "refs").as_posix()
            for path in sorted((repository / "refs").rglob("*"), reverse=True)
            if path.is_file()
        }
        for snapshot in sorted(path for path in (repository / "snapshots").glob("*") if _is_checkpoint(path)):
            reference = references.get(snapshot.name, snapshot.name[:8])
            yield name if reference == "main" else f"{name} ({reference})", snapshot
