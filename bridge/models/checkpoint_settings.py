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
from .checkpoint import Checkpoint
from .errors import CheckpointUnreadable, ModelsError
from .parts import Part
from .schedule import DIFFUSION_PREDICTIONS, Prediction
from .vae import inspect_vae

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

    Raises CheckpointUnreadable for keys that there are not and values that cannot be meant; as `inspect_vae`.
    """
    table = (read_settings() if tables is None else tables).get(checkpoint.id)
    if not table:
        return checkpoint
    where = f'{settings_file().name}, ["{checkpoint.id}"]'
    unknown = next((key for key in table if key not in (*_CHECKS, *CARD_KEYS, "vae")), None)
    if unknown is not None:
        raise CheckpointUnreadable(
            "{where}: there is no setting {unknown}; there are {known}.",
            hint=_MEND,
            where=where,
            unknown=unknown,
            known=", ".join((*_CHECKS, "vae", *CARD_KEYS)),
        )
    for key, (right, wanted) in _CHECKS.items():
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
    if "vae" in table:
        found = found.with_part(_vae(table["vae"], checkpoint, where))
    card = {key: table[key] for key in CARD_KEYS if key in table}
    return replace(found, card=revised(found.card, card, where)) if card else found


def _vae(said: Any, checkpoint: Checkpoint, where: str) -> Part:
    if not isinstance(said, str) or not said:
        raise CheckpointUnreadable(
            "{where}: vae must be a name or a path, not {said}.", hint=_MEND, where=where, said=repr(said)
        )
    own = find_home().vaes
    named = own / Path(said).expanduser()
    path = named if named.exists() else named.with_name(f"{named.name}.safetensors")
    if not path.exists():
        raise CheckpointUnreadable(
            "{where}: there is no VAE {said}.",
            hint="Name a file or folder in {own}, or say a whole path.",
            where=where,
            said=said,
            own=own,
        )
    try:
        return inspect_vae(path, checkpoint.part("vae"), checkpoint.family)
    except ModelsError as error:
        raise type(error)("{where}: {problem}", hint=error.hint, where=where, problem=error.message) from error


def _whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "prediction": (lambda value: value in DIFFUSION_PREDICTIONS, f"one of {', '.join(DIFFUSION_PREDICTIONS)}"),
    "zero_terminal_snr": (lambda value: isinstance(value, bool), "true or false"),
    "clip_skip": (_whole(1, _MOST_CLIP_SKIP), f"a whole number from 1 to {_MOST_CLIP_SKIP}"),
}
