"""A checkpoint's card: what it is good at, and where it differs from its family.

A `card.json` in a diffusers folder says so; without one the family's facts hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import Sentence
from .distillation import Distillation
from .errors import CheckpointUnreadable
from .families import Family, Variant
from .json_files import load_json
from .samplers import SAMPLERS

__all__ = ["LEAST_NATIVE", "MOST_NATIVE", "Card", "read_card", "revised"]

LEAST_NATIVE, MOST_NATIVE = 64 * 64, 4096 * 4096
"""How few and how many pixels a native size may have."""


@dataclass(frozen=True)
class Card:
    """What one checkpoint is good at.

    `native_pixels` is the pixel count it paints best at. `empty_prompt` is "denoise", or "infill" for a checkpoint that
    is no match for the infill when nothing is asked for. `masked_picture` is what a UNet of nine channels wants to see
    under the mask: "grey", as Stable Diffusion's own do, or the "infill", which it paints things upon. `known_names`
    are the things that a small checkpoint can paint; empty means that it knows no bounds.
    """

    name: str
    native_pixels: int
    default_steps: int
    default_guidance: float
    default_sampler: str
    empty_prompt: str = "denoise"
    masked_picture: str = "grey"
    known_names: tuple[str, ...] = ()
    notes: str = ""


def read_card(
    path: Path,
    *,
    name: str,
    family: Family,
    variant: Variant | None = None,
    distillation: Distillation | None = None,
    native_pixels: int | None = None,
) -> Card:
    """The card at `path`, completed by the facts of distillation, variant and family, in this order; these alone where
    there is none.

    `native_pixels` is what the checkpoint says elsewhere of the size that it was trained at.

    Raises CheckpointUnreadable when the card is not what a card must be.
    """
    if not path.exists():
        return _card({}, name, family, variant, distillation, native_pixels)
    try:
        said = load_json(path)
    except (OSError, ValueError) as error:
        raise CheckpointUnreadable("Its card.json cannot be read.", hint="Install the checkpoint again.") from error
    if not isinstance(said, dict):
        raise CheckpointUnreadable("Its card.json is not a JSON object.", hint="Install the checkpoint again.")
    return _card(said, name, family, variant, distillation, native_pixels)


def _card(
    said: Mapping[str, Any],
    name: str,
    family: Family,
    variant: Variant | None,
    distillation: Distillation | None,
    native_pixels: int | None,
) -> Card:
    steps, guidance, sampler, notes = family.default_steps, family.default_guidance, family.default_sampler, ""
    if variant is not None:
        steps, guidance, sampler = variant.steps, variant.guidance, variant.sampler
    if distillation is not None:
        steps, guidance, sampler = distillation.steps, distillation.guidance, distillation.sampler
        notes = Sentence("Taken for a {title} distillation, which wants few steps.", title=distillation.title)
    known_names = said.get("known_names", [])
    card = Card(
        name=said.get("name", name),
        native_pixels=said.get("native_pixels", native_pixels or family.native_pixels),
        default_steps=said.get("default_steps", steps),
        default_guidance=said.get("default_guidance", guidance),
        default_sampler=said.get("sampler", sampler),
        empty_prompt=said.get("empty_prompt", "denoise"),
        masked_picture=said.get("masked_picture", "grey"),
        known_names=tuple(known_names) if isinstance(known_names, list) else (),
        notes=said.get("notes", notes),
    )
    _check(card, known_names, "Its card.json", "Mend or remove card.json.")
    return card


def revised(card: Card, changes: Mapping[str, Any], where: str) -> Card:
    """The card with some of its values changed, by their names in a card.json. Raises CheckpointUnreadable, which names
    the value and `where` it was said.
    """
    names = {"sampler": "default_sampler"}
    found = replace(card, **{names.get(key, key): value for key, value in changes.items()})
    _check(found, list(found.known_names), where, "Correct it there.")
    return found


def _check(card: Card, known_names: Any, where: str, hint: str) -> None:
    right = {
        "name": isinstance(card.name, str) and bool(card.name),
        "native_pixels": isinstance(card.native_pixels, int) and LEAST_NATIVE <= card.native_pixels <= MOST_NATIVE,
        "default_steps": isinstance(card.default_steps, int) and 1 <= card.default_steps <= 1000,
        "default_guidance": isinstance(card.default_guidance, (int, float)) and 0 <= card.default_guidance <= 100,
        "sampler": card.default_sampler in SAMPLERS,
        "empty_prompt": card.empty_prompt in ("denoise", "infill"),
        "masked_picture": card.masked_picture in ("grey", "infill"),
        "known_names": isinstance(known_names, list) and all(isinstance(item, str) for item in known_names),
        "notes": isinstance(card.notes, str),
    }
    wrong = [key for key, holds in right.items() if not holds]
    if wrong:
        raise CheckpointUnreadable("{where} has no sensible {wrong}.", hint=hint, where=where, wrong=wrong[0])
