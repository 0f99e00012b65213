"""Textual inversions in words and as JSON, for ``paintbridge models``."""

from __future__ import annotations

from typing import Any

from ..models import Embedding, Entry
from ..models.locations import OWN
from .describe import size_on_disk, size_words

__all__ = ["embedding_details", "embedding_details_words", "embedding_row", "embedding_row_words"]


def embedding_row(entry: Entry[Embedding], embedding: Embedding) -> dict[str, Any]:
    """What ``models list`` says of a textual inversion."""
    return {
        "name": entry.name,
        "family": embedding.family.title,
        "vectors": embedding.vectors,
        "size_bytes": size_on_disk(entry),
        "program": entry.program,
        "path": str(entry.path),
    }


def embedding_row_words(said: dict[str, Any]) -> str:
    """The row for people; a colon marks it as something that stands in a prompt."""
    whose = "" if said["program"] == OWN else f" [{said['program']}]"
    vectors = "1 vector" if said["vectors"] == 1 else f"{said['vectors']} vectors"
    return f": {said['name']}: textual inversion for {said['family']}, {vectors}{whose}; {said['path']}"


def embedding_details(entry: Entry[Embedding], embedding: Embedding) -> dict[str, Any]:
    """What ``models info`` says."""
    return {**embedding_row(entry, embedding), "names": list(embedding.names), "hash": embedding.hash}


def embedding_details_words(said: dict[str, Any]) -> str:
    """The same for people."""
    lines = {
        "name": said["name"],
        "family": f"textual inversion for {said['family']}",
        "in a prompt": " or ".join((*said["names"], f"embedding:{said['name']}")),
        "vectors": said["vectors"],
        "size on disk": size_words(said["size_bytes"]),
        "belongs to": said["program"],
        "path": said["path"],
        "hash": said["hash"],
    }
    return "\n".join(f"{name + ':':<16}{value}" for name, value in lines.items())
