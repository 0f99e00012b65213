"""What an artist says of a checkpoint in place of its files: `checkpoints.toml` in the bridge's home.

A table for each checkpoint, by its name in `paintbridge models list`. It is read anew at every look, so that a running
bridge heeds it at once.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..home import find_home
from .card import revised
from .checkpoint import Checkpoint, FillMethod
from .errors import CheckpointUnreadable
from .inpaint_difference import InpaintSource
from .part_choice import chosen_part
from .schedule import DIFFUSION_PREDICTIONS, Prediction, ScheduleKind

__all__ = ["CARD_KEYS", "read_settings", "settings_file", "with_settings"]

CARD_KEYS = ("native_pixels", "default_steps", "default_guidance", "sampler")
"""Keys that a card.json has as well."""

_MOST_CLIP_SKIP = 12
_MEND = "Correct it there; docs/checkpoints.md has all its keys."


def settings_file() -> Path:
    """Where they stand."""
    return find_home().checkpoint_settings


def read_settings() -> dict[str, Mapping[str, Any]]:
    """The tables by the checkpoints' names; none where there is no such file.

    Raises CheckpointUnreadable where it is not TOML, or holds anything but tables.
    """
    path = settings_file()
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CheckpointUnreadable(
            "{path} cannot be read ({reason}).", hint="Check the file's permissions.", path=path, reason=error.strerror
        ) from error
    except ValueError as error:
        where = re.search(r"\(at (.+)\)", str(error))
        raise CheckpointUnreadable(
            "{name} is not TOML ({where}).",
            hint=_MEND,
            name=path.name,
            where=where[1] if where else "not UTF-8 text",
        ) from error
    stray = next((name for name, table in found.items() if not isinstance(table, dict)), None)
    if stray is not None:
        raise CheckpointUnreadable(
            '{name} has {stray} outside any table; a table begins with the checkpoint\'s name, as ["{stray}"].',
            hint=_MEND,
            name=path.name,
            stray=stray,
        )
    return found


def with_settings(checkpoint: Checkpoint, tables: Mapping[str, Mapping[str, Any]] | None = None) -> Checkpoint:
    """The checkpoint with what `checkpoints.toml` (`tables`, or read now) says of it under its id.

    Raises CheckpointUnreadable for keys that there are not and values that cannot be meant; as `chosen_part`.
    """
    table = (read_settings() if tables is None else tables).get(checkpoint.id)
    if not table:
        return checkpoint
    where = f'{settings_file().name}, ["{checkpoint.id}"]'
    known = _keys_for(checkpoint)
    unknown = next((key for key in table if key not in known), None)
    if unknown is not None:
        raise CheckpointUnreadable(
            "{where}: there is no setting {unknown}; there are {known}.",
            hint=_MEND,
            where=where,
            unknown=unknown,
            known=", ".join(known),
        )
    for key, (right, wanted) in (*_CHECKS.items(), *_FILLING.items()):
        if key in table and not right(table[key]):
            raise CheckpointUnreadable(
                "{where}: {key} must be {wanted}, not {value}.",
                hint=_MEND,
                where=where,
                key=key,
                wanted=wanted,
                value=repr(table[key]),
            )
    told = {key: table[key] for key in _CHECKS if key in table and table[key] != getattr(checkpoint, key)}
    if "prediction" in told:
        told["prediction"] = Prediction(told["prediction"])
    found = replace(checkpoint, **told, told=tuple(f"{key} = {value}" for key, value in told.items()))
    if found.zero_terminal_snr and found.prediction is Prediction.EPSILON and told:
        raise CheckpointUnreadable(
            "{where}: with zero_terminal_snr the first step sees nothing but noise, so what predicts "
            "noise (epsilon) could not begin.",
            hint='Say prediction = "v_prediction" as well, or leave zero_terminal_snr out.',
            where=where,
        )
    for name in checkpoint.family.weighted_parts[1:]:
        if name in table:
            found = found.with_part(chosen_part(name, table[name], checkpoint, where))
    if "variant" in table:
        found = _varied(found, table["variant"], where)
    # How it fills is told by its hash where that is by other weights, and else by the recipe.
    if "inpainting" in table:
        found = replace(found, fills_by=FillMethod(table["inpainting"]))
    found = replace(found, stands_for=table.get("stands_for"))
    card = {key: table[key] for key in CARD_KEYS if key in table}
    return replace(found, card=revised(found.card, card, where)) if card else found


def _varied(checkpoint: Checkpoint, said: Any, where: str) -> Checkpoint:
    """As another variant of its family."""
    variant = next((one for one in checkpoint.family.variants if one.name == said), None)
    if variant is None:
        raise CheckpointUnreadable(
            "{where}: {key} must be {wanted}, not {value}.",
            hint=_MEND,
            where=where,
            key="variant",
            wanted=f"one of {', '.join(one.name for one in checkpoint.family.variants)}",
            value=repr(said),
        )
    if variant == checkpoint.variant:
        return checkpoint
    wishes = {"default_steps": variant.steps, "default_guidance": variant.guidance, "sampler": variant.sampler}
    told = (*checkpoint.told, f"variant = {variant.name}")
    return replace(checkpoint, variant=variant, card=revised(checkpoint.card, wishes, where), told=told)


def _keys_for(checkpoint: Checkpoint) -> tuple[str, ...]:
    """What may be said of it."""
    if checkpoint.family.schedule is ScheduleKind.VARIANCE_PRESERVING:
        return (*_CHECKS, *_FILLING, "vae", *CARD_KEYS)
    variant = ("variant",) if checkpoint.family.variants else ()
    return (*variant, "inpainting", *checkpoint.family.weighted_parts[1:], *CARD_KEYS)


def _whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "prediction": (lambda value: value in DIFFUSION_PREDICTIONS, f"one of {', '.join(DIFFUSION_PREDICTIONS)}"),
    "zero_terminal_snr": (lambda value: isinstance(value, bool), "true or false"),
    "clip_skip": (_whole(1, _MOST_CLIP_SKIP), f"a whole number from 1 to {_MOST_CLIP_SKIP}"),
}
# What has an effect on fills alone.
_FILLING: dict[str, tuple[Callable[[Any], bool], str]] = {
    "inpainting": (lambda value: value in tuple(FillMethod), f"one of {', '.join(FillMethod)}"),
    "stands_for": (lambda value: value in tuple(InpaintSource), f"one of {', '.join(InpaintSource)}"),
}
