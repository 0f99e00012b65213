"""Recipes: the TOML files that say how a checkpoint is made."""

import tomllib
from pathlib import Path
from typing import Any

from ..errors import Sentence
from .errors import RecipeInvalid

__all__ = ["MINI", "STAGES", "pictures", "read", "steps"]

MINI = Path(__file__).parent / "recipes" / "mini.toml"
STAGES = ("autoencoder", "denoiser", "decoder")
"""The stages that are trained, in their order."""


def read(path: Path) -> dict[str, Any]:
    """Read a recipe; raises ``RecipeInvalid``."""
    try:
        recipe = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise RecipeInvalid(path, str(error)) from error
    for key in ("name", "seed", "native_size", "things", "autoencoder", "text_encoder", "denoiser"):
        if key not in recipe:
            raise RecipeInvalid(path, Sentence("it has no {key}", key=repr(key)))
    codes = [thing["code"] for thing in recipe["things"]]
    if len(set(codes)) != len(codes):
        raise RecipeInvalid(path, "a thing is named twice")
    return recipe


def steps(stage: dict[str, Any]) -> int:
    """How many steps a stage's phases take together."""
    return sum(phase["steps"] for phase in stage["phases"])


def pictures(stage: dict[str, Any], done: int) -> int:
    """How many pictures a stage was trained on after ``done`` of its steps."""
    seen = 0
    for phase in stage["phases"]:
        here = min(done, phase["steps"])
        seen += here * phase["batch"]
        done -= here
    return seen
