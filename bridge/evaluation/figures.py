"""A checkpoint's figures: kept in its own card.json, which is where every document takes them from."""

import json
import os
from pathlib import Path
from typing import Any

import torch

from ..models import Checkpoint
from ..training.errors import TrainingError
from ..training.recipe import MINI, read

__all__ = ["codes_of", "keep", "machine"]


def machine() -> str:
    """What the seconds were measured on."""
    processor = next((line.split(":", 1)[1].strip() for line in _cpu_lines() if line.startswith("model name")), "CPU")
    return f"{processor}, {os.cpu_count()} cores, {torch.get_num_threads()} used by torch"


def _cpu_lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def codes_of(names: tuple[str, ...]) -> dict[str, str]:
    """The cut-outs' codes of a card's names, by mini's recipe."""
    codes = {thing["name"]: thing["code"] for thing in read(MINI)["things"]}
    unknown = [name for name in names if name not in codes]
    if unknown or not names:
        raise TrainingError(
            f"There is no cut-out to compare {unknown[0]} with."
            if unknown
            else "The checkpoint's card lists no names.",
            "Names can be measured for checkpoints made by mini's recipe; leave them out with --only.",
        )
    return {name: codes[name] for name in names}


def keep(checkpoint: Checkpoint, figures: dict[str, Any]) -> Path:
    """Write the figures into the checkpoint's card, in place of those of the same parts that were there."""
    path = checkpoint.path / "card.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        card["figures"] = card.get("figures", {}) | figures
        path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise TrainingError(
            f"{path} could not be written ({error.strerror}).", "Only a folder with a card.json has figures to keep."
        ) from error
    return path
