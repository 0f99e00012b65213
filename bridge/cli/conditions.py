"""``--condition`` as it is said. Its files are looked at by :mod:`.guiding`, which is slow to import."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..protocol.messages import CONDITION_KINDS as _ALL_KINDS
from ..protocol.messages import Condition

__all__ = ["CONDITION_KINDS", "CONDITION_OPTIONS", "SaidCondition", "parse_condition"]

CONDITION_KINDS = tuple(kind for kind in _ALL_KINDS if kind != "reference")
CONDITION_OPTIONS = ("strength", "start", "end", "mask", "controlnet")
_NUMBERS = {entry.name: entry.metadata for entry in fields(Condition) if entry.name in ("strength", "start", "end")}
_OPTION = re.compile(rf",({'|'.join(CONDITION_OPTIONS)})=")


@dataclass(frozen=True)
class SaidCondition:
    """A condition as it was said; its files have not been looked at."""

    kind: str
    path: Path
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mask: Path | None = None
    controlnet: str | None = None


def parse_condition(text: str) -> SaidCondition:
    """``scribble=drawing.png,strength=0.8,end=0.6``.

    Raises:
        ValueError: anything else.
    """
    kind, found, rest = text.partition("=")
    file, *options = _OPTION.split(rest)
    if not found or kind not in CONDITION_KINDS or not file:
        raise ValueError(
            f"a condition is KIND=FILE, such as scribble=drawing.png, where KIND is {' or '.join(CONDITION_KINDS)}"
        )
    values: dict[str, Any] = {
        name: _value(name, value) for name, value in zip(options[::2], options[1::2], strict=True)
    }
    said = SaidCondition(kind, Path(file), **values)
    if said.start > said.end:
        raise ValueError("the condition's end must be at its start or after")
    return said


def _value(name: str, value: str) -> float | str | Path:
    if name not in _NUMBERS:
        return Path(value) if name == "mask" else value
    number, limits = float(value), _NUMBERS[name]
    # Written so that NaN fails too.
    if not limits["min"] <= number <= limits["max"]:
        raise ValueError(f"the condition's {name} must be between {limits['min']} and {limits['max']}")
    return number
