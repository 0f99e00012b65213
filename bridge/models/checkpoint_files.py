"""What all checkpoints' folders have: JSON files, a scheduler's config, tokenizers."""

from pathlib import Path
from typing import Any

from .errors import CheckpointUnreadable
from .json_files import load_json
from .parts import Layout, Part

__all__ = ["read_json", "scheduler_part", "tokenizer_part"]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises CheckpointUnreadable where it is none, or not there."""
    name = f"{path.parent.name}/{path.name}" if path.name != "model_index.json" else path.name
    try:
        found = load_json(path)
    except FileNotFoundError as error:
        raise CheckpointUnreadable(
            "The folder has no {name}.", hint="Download or copy the folder again.", name=name
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointUnreadable(
            "{name} cannot be read.", hint="Download or copy the folder again.", name=name
        ) from error
    if not isinstance(found, dict):
        raise CheckpointUnreadable("{name} is not a JSON object.", hint="Download or copy the folder again.", name=name)
    return found


def scheduler_part(folder: Path) -> Part:
    """A scheduler's config in a folder."""
    return Part("scheduler", folder, Layout.FOLDER, (folder / "scheduler_config.json",))


def tokenizer_part(part: Path) -> Part:
    """A tokenizer's folder. Raises CheckpointUnreadable where it has no vocabulary."""
    files = sorted(file for file in part.glob("*") if file.suffix in (".json", ".txt"))
    if not any(file.name in ("vocab.json", "tokenizer.json") for file in files):
        raise CheckpointUnreadable(
            "Its {name} has no vocabulary.", hint="Download or copy the folder again.", name=part.name
        )
    return Part(part.name, part, Layout.FOLDER, tuple(files))
