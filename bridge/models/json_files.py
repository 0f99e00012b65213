"""JSON files of models, read within bounds: one that is too large or nested too deeply is refused like damaged ones."""

import json
from pathlib import Path
from typing import Any

__all__ = ["load_json", "load_object", "parse_json"]

# Tokenizers' files have some ten megabytes, and are not read here; configs have a few kilobytes.
_MOST_BYTES = 64 << 20


def parse_json(text: str | bytes) -> Any:
    """What the text says. Raises ValueError where it is no JSON, or nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def load_json(path: Path) -> Any:
    """What the file says. Raises OSError, and ValueError where it is no JSON, nested too deeply, or over 64 MiB."""
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError("too large")
    return parse_json(content.decode("utf-8"))


def load_object(path: Path) -> dict[str, Any]:
    """As `load_json`. Raises ValueError also where the file holds anything but an object."""
    found = load_json(path)
    if not isinstance(found, dict):
        raise ValueError("no object")  # noqa: TRY004 (as what is no JSON)
    return found
