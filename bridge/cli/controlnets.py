"""ControlNets in words and as JSON, for ``paintbridge models list``."""

from __future__ import annotations

from typing import Any

from ..models import ControlNet, Entry
from ..models.locations import OWN
from .describe import size_on_disk, size_words

__all__ = ["controlnet_row", "controlnet_row_words"]


def controlnet_row(entry: Entry[ControlNet], net: ControlNet) -> dict[str, Any]:
    """What ``models list`` says of a ControlNet."""
    return {
        "name": entry.name,
        "family": net.family.title,
        "conditions": list(net.conditions),
        "inpainting": net.inpainting is not None,
        "size_bytes": size_on_disk(entry),
        "program": entry.program,
        "path": str(entry.path),
    }


def controlnet_row_words(said: dict[str, Any]) -> str:
    """The row for people; an arrow marks it as something that guides a checkpoint."""
    whose = "" if said["program"] == OWN else f" [{said['program']}]"
    takes = f"takes {', '.join(kind.replace('_', ' ') for kind in said['conditions'])}" if said["conditions"] else ""
    fills = "guides fills" if said["inpainting"] else ""
    does = ", ".join(filter(None, (takes, fills))) or "takes nothing that a condition says yet"
    size = size_words(said["size_bytes"])
    return f"> {said['name']}: ControlNet for {said['family']}, {does}, {size}{whose}; {said['path']}"
