"""Checkpoints in words and as JSON, for ``paintbridge models``."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from ..models import RECOMMENDED, Checkpoint, Entry, Estimator, Lora, ModelsError
from ..models.estimators import RECOMMENDED_ESTIMATORS, maps_of
from ..models.locations import OWN
from ..models.receipt import read_receipt
from ..models.recommended import first_choice_by_card

__all__ = [
    "details",
    "details_words",
    "problem",
    "problem_words",
    "recommended_words",
    "row",
    "row_words",
    "size_on_disk",
    "size_words",
]

_PART_WORDS = {"vae": "VAE"}
_CARDS = ("README.md", "README.txt")
_LICENCES = ("LICENSE", "LICENSE.md", "LICENSE.txt")


def row(entry: Entry[Checkpoint], checkpoint: Checkpoint, default: str) -> dict[str, Any]:
    """What ``models list`` says of a checkpoint."""
    return {
        "name": entry.name,
        "family": checkpoint.family.title,
        "kind": "inpainting" if checkpoint.inpaint else "base",
        "native_pixels": checkpoint.card.native_pixels,
        "default": entry.name == default,
        "knows": list(checkpoint.card.known_names),
        "size_bytes": size_on_disk(entry),
        "program": entry.program,
        "path": str(entry.path),
    }


def row_words(said: dict[str, Any]) -> str:
    """The row for people; the default checkpoint has a star."""
    mark = "*" if said["default"] else " "
    whose = "" if said["program"] == OWN else f" [{said['program']}]"
    size = size_words(said["size_bytes"])
    words = f"{mark} {said['name']}: {said['family']}, {said['kind']}, {size}{whose}; {said['path']}"
    if said["knows"]:
        words += f"\n    a small checkpoint for trying out; it knows: {', '.join(said['knows'])}"
    return words


def problem(entry: Entry[Any], error: ModelsError) -> dict[str, Any]:
    """What ``models list`` says of something that cannot be painted with."""
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "size_bytes": size_on_disk(entry),
        "program": entry.program,
        "path": str(entry.path),
    }


def problem_words(name: str, said: dict[str, Any]) -> str:
    """The same for people."""
    whose = "" if said["program"] == OWN else f" [{said['program']}]"
    return f"! {name}{whose}: {said['message']} {said['hint']}".rstrip() + f"\n    {said['path']}"


def details(entry: Entry[Checkpoint], checkpoint: Checkpoint) -> dict[str, Any]:
    """What ``models info`` says. Reads the whole checkpoint for its hash, the first time."""
    card, receipt = checkpoint.card, read_receipt(entry.path) if entry.path.is_dir() else None
    edge = math.isqrt(card.native_pixels)
    model_card = _first(entry.path, _CARDS)
    return {
        **row(entry, checkpoint, ""),
        "layout": checkpoint.layout,
        "prediction": checkpoint.prediction,
        "zero_terminal_snr": checkpoint.zero_terminal_snr,
        "clip_skip": checkpoint.clip_skip or checkpoint.family.clip_skip,
        "format": next((str(part.format) for part in checkpoint.parts if part.name == checkpoint.family.denoiser), ""),
        "parts_apart": {part.name: str(part.path) for part in checkpoint.apart},
        "told": list(checkpoint.told),
        "native_size": f"{edge} x {edge}",
        "default_steps": card.default_steps,
        "default_guidance": card.default_guidance,
        "default_sampler": card.default_sampler,
        "empty_prompt": card.empty_prompt,
        "notes": card.notes,
        "hash": checkpoint.hash,
        "licence": (receipt.licence if receipt else "") or _licence(model_card),
        "licence_file": _text(_first(entry.path, _LICENCES)),
        "model_card": _text(model_card),
        "hub_id": receipt.hub_id if receipt else "",
        "commit": receipt.commit if receipt else "",
    }


def details_words(said: dict[str, Any]) -> str:
    """The same for people, what is not known left out."""
    lines = {
        "name": said["name"],
        "family": f"{said['family']}, {said['kind']}",
        "layout": {"folder": "a diffusers folder", "file": "a single file"}[said["layout"]],
        "format": said["format"],
        "prediction": said["prediction"] + (", zero terminal SNR" if said["zero_terminal_snr"] else ""),
        "fills by": said["fills_by"],
        "clip skip": said["clip_skip"],
        **{_PART_WORDS.get(name, name.replace("_", " ")): path for name, path in said["parts_apart"].items()},
        "settings": "; ".join(said["told"]),
        "paints best at": f"{said['native_size']} pixels",
        "steps": said["default_steps"],
        "guidance": said["default_guidance"],
        "sampler": said["default_sampler"],
        "knows": ", ".join(said["knows"]),
        "notes": said["notes"],
        "size on disk": size_words(said["size_bytes"]),
        "belongs to": said["program"],
        "path": said["path"],
        "hash": said["hash"],
        "licence": said["licence"],
        "licence text": said["licence_file"],
        "model card": said["model_card"],
        "pulled from": f"{said['hub_id']}, commit {said['commit']}" if said["hub_id"] else "",
    }
    return "\n".join(f"{name + ':':<16}{value}" for name, value in lines.items() if value != "")


def recommended_words() -> str:
    """The list of recommended checkpoints."""
    lines = []
    for entry in RECOMMENDED:
        memory = f"{entry.memory_bytes / (1 << 30):.0f} GiB"
        lines += [
            f"{entry.hub_id}: {entry.kind}; {size_words(entry.download_bytes)} to download; wants about {memory} of a "
            f"graphics card's memory; licence {entry.licence}",
            f"    good at {entry.good_at}",
            f"    fills {entry.fills}{'; edits' if entry.edits else ''}{'; paints alpha' if entry.alpha else ''}",
        ]
        if entry.denoiser_bytes:
            sizes = ", ".join(f"{name} {size_words(size)}" for name, size in entry.denoiser_bytes)
            lines.append(f"    its denoiser as a file of its own: {sizes}")
        if entry.gated:
            lines.append(f"    gated: accept its licence on the page of {entry.hub_id}, then `hf auth login`")
    lines += ["", "Networks that make maps of pictures:"]
    lines += [f"    {name}: {', '.join(maps_of(task))}" for task, name in RECOMMENDED_ESTIMATORS.items()]
    lines += ["", "To begin with, by the memory of the graphics card:"]
    for size, entry in first_choice_by_card().items():
        lines.append(f"    {size >> 30} GB: {entry.hub_id}")
    return "\n".join([*lines, "", "To fetch one: paintbridge models pull NAME"])


def size_on_disk(entry: Entry[Any]) -> int:
    """Bytes that loading reads; of what cannot be loaded, all bytes that lie there."""
    if isinstance(entry.found, (Checkpoint, Lora, Estimator)):
        files = list(entry.found.files)
    else:
        files = list(entry.path.rglob("*")) if (entry.path / "model_index.json").is_file() else [entry.path]
    return sum(file.stat().st_size for file in files if file.is_file())


def size_words(count: int) -> str:
    """Bytes for people, in decimal units, as shops and hubs count."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)


def _licence(model_card: Path | None) -> str:
    """The licence in the YAML at the head of a model card, as the hub's cards have it."""
    if model_card is None:
        return ""
    head = model_card.read_text(encoding="utf-8", errors="replace")[:65536]
    block = re.match(r"---\r?\n(.*?)\n---", head, re.DOTALL)
    line = re.search(r"(?m)^license:[ \t]*['\"]?([\w.+-]+)", block[1]) if block else None
    return line[1] if line else ""
