"""LoRAs in words and as JSON, for ``paintbridge models``."""

from __future__ import annotations

from typing import Any

from ..models import Entry, Lora
from ..models.locations import OWN
from .describe import size_on_disk, size_words

__all__ = ["lora_details", "lora_details_words", "lora_row", "lora_row_words"]


def lora_row(entry: Entry[Lora], lora: Lora) -> dict[str, Any]:
    """What ``models list`` says of a LoRA."""
    return {
        "name": entry.name,
        "family": lora.family.title,
        "trigger_words": list(lora.trigger_words),
        "size_bytes": size_on_disk(entry),
        "program": entry.program,
        "path": str(entry.path),
    }


def lora_row_words(said: dict[str, Any]) -> str:
    """The row for people; a plus marks it as something that is added to a checkpoint."""
    whose = "" if said["program"] == OWN else f" [{said['program']}]"
    words = f"+ {said['name']}: LoRA for {said['family']}, {size_words(said['size_bytes'])}{whose}; {said['path']}"
    if said["trigger_words"]:
        words += f"\n    trigger words: {', '.join(said['trigger_words'])}"
    return words


def lora_details(entry: Entry[Lora], lora: Lora) -> dict[str, Any]:
    """What ``models info`` says. Reads the whole file for its hash, the first time."""
    wants = lora.distillation
    return {
        **lora_row(entry, lora),
        "layout": lora.naming,
        "kinds": list(lora.kinds),
        "embeddings": [one.id for one in lora.embeddings],
        "rank": lora.rank,
        "parts": list(lora.parts),
        "default_steps": wants.steps if wants else None,
        "default_guidance": wants.guidance if wants else None,
        "default_sampler": wants.sampler if wants else None,
        "hash": lora.hash,
    }


def lora_details_words(said: dict[str, Any]) -> str:
    """The same for people, what is not known left out."""
    lines = {
        "name": said["name"],
        "family": f"LoRA for {said['family']}",
        "in a prompt": f"<lora:{said['name']}:0.8>",
        "trigger words": ", ".join(said["trigger_words"]),
        "kind": ", ".join(said["kinds"]) + (f" of rank {said['rank']}" if said["rank"] else ""),
        "layout": said["layout"],
        "embeddings": ", ".join(said["embeddings"]),
        "changes": ", ".join(part.replace("_", " ") for part in said["parts"]),
        "steps": said["default_steps"],
        "guidance": said["default_guidance"],
        "sampler": said["default_sampler"],
        "size on disk": size_words(said["size_bytes"]),
        "belongs to": said["program"],
        "path": said["path"],
        "hash": said["hash"],
    }
    return "\n".join(f"{name + ':':<16}{value}" for name, value in lines.items() if value not in ("", None))
