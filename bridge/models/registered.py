"""The list of checkpoints and folders that the artist has named, in the bridge's folder: `models.json`."""

import json
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .errors import CheckpointUnreadable
from .places import bridge_home

__all__ = ["list_file", "read_registered", "write_registered"]


def list_file() -> Path:
    """Where the list lies."""
    return bridge_home() / "models.json"


def read_registered() -> tuple[Path, ...]:
    """The paths in the order in which they were named; none when there is no list.

    Raises CheckpointUnreadable when the list is not what it must be.
    """
    path = list_file()
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        paths = said["paths"]
        if not isinstance(paths, list) or not all(isinstance(item, str) and item for item in paths):
            raise TypeError("paths must be texts")
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointUnreadable(
            f"The list of added checkpoints, {path}, cannot be read.",
            hint="Delete it, then add them again with `paintbridge models add`.",
        ) from error
    return tuple(map(Path, paths))


def write_registered(paths: Iterable[Path]) -> None:
    """Put these in the list's place, whole or not at all. Raises OSError when the folder cannot be written."""
    path = list_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix="models-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"paths": [str(item) for item in paths]}, file, indent=2)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
