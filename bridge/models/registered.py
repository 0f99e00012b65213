"""The lists of checkpoints, LoRAs and folders that the artist has named, in the bridge's folder: `models.json`."""

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..home import find_home
from .errors import CheckpointUnreadable

__all__ = ["KINDS", "list_file", "read_registered", "write_registered"]

KINDS = ("checkpoint", "lora")
"""What there are lists of."""

_KEYS = dict(zip(KINDS, ("paths", "loras"), strict=True))


def list_file() -> Path:
    """The file of the list."""
    return find_home().registered


def read_registered(kind: str = "checkpoint") -> tuple[Path, ...]:
    """The paths of a kind ("checkpoint" or "lora"), in the order in which they were named; none when there is no list.

    Raises CheckpointUnreadable when the list is not what it must be.
    """
    return tuple(map(Path, _read()[_KEYS[kind]]))


def write_registered(paths: Iterable[Path], kind: str = "checkpoint") -> None:
    """Put these in the place of a kind's list, whole or not at all. Raises OSError when the folder cannot be written,
    CheckpointUnreadable when what is there already cannot be read.
    """
    said = {**_read(), _KEYS[kind]: [str(item) for item in paths]}
    path = list_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix="models-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(said, file, indent=2)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _read() -> dict[str, list[str]]:
    path = list_file()
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        lists = {"paths": said["paths"], "loras": said.get("loras", [])}
        for paths in lists.values():
            if not isinstance(paths, list) or not all(isinstance(item, str) and item for item in paths):
                raise TypeError("paths must be texts")
    except FileNotFoundError:
        return {key: [] for key in _KEYS.values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointUnreadable(
            "The list of added checkpoints, {path}, cannot be read.",
            hint="Delete it, then add them again with `paintbridge models add`.",
            path=path,
        ) from error
    return lists
