"""``paintbridge models list``: which checkpoints are on this machine, and what is wrong with the others."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..models import ModelsError, Registry
from ..server.settings import load_settings, settings_home
from .exits import Exit

__all__ = ["registry", "run"]


def registry() -> Registry:
    """The checkpoints that a bridge started here would offer.

    Raises:
        StartError: a setting cannot be used.
    """
    settings = load_settings()
    return Registry((settings_home() / "models", *settings.models_folders), default=settings.default_checkpoint)


def run(args: argparse.Namespace) -> Exit:
    """Print a table, or with ``--json`` an object."""
    found = registry()
    try:
        default = found.get().id
    except ModelsError:
        default = ""
    checkpoints: list[dict[str, Any]] = [
        {
            "name": entry.id,
            "family": entry.family.title,
            "kind": "inpainting" if entry.inpaint else "base",
            "native_pixels": entry.card.native_pixels,
            "default": entry.id == default,
            "knows": list(entry.card.known_names),
            "path": str(entry.path),
        }
        for entry in found.list()
    ]
    problems = {name: {"message": e.message, "hint": e.hint} for name, e in found.problems().items()}
    if args.json:
        print(json.dumps({"checkpoints": checkpoints, "problems": problems}, indent=2))
        return Exit.DONE
    for entry in checkpoints:
        mark = "*" if entry["default"] else " "
        print(f"{mark} {entry['name']}: {entry['family']}, {entry['kind']}; {entry['path']}")
        if entry["knows"]:
            print(f"    a small checkpoint for trying out; it knows: {', '.join(entry['knows'])}")
    for name, problem in problems.items():
        print(f"! {name}: {problem['message']} {problem['hint']}".rstrip())
    if not checkpoints and not problems:
        print(f"There are no checkpoints. Put a Stable Diffusion 1 diffusers folder into {settings_home() / 'models'}.")
    return Exit.DONE
