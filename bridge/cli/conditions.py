"""``--condition`` and ``--region`` as they are said. Their files are looked at by :mod:`.guiding`, which is slow to
import.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..control_kinds import CONTROL_KINDS, REFERENCE
from ..protocol.messages import Condition, ReferenceRole, Region

__all__ = ["CONDITION_OPTIONS", "REGION_OPTIONS", "parse_condition", "parse_region"]

_FIELDS = {entry.name: entry for entry in fields(Condition)}
CONDITION_OPTIONS = tuple(name for name in _FIELDS if name not in ("kind", "picture"))
_PROMPT = next(entry for entry in fields(Region) if entry.name == "prompt")
REGION_OPTIONS = tuple(entry.name for entry in fields(Region) if entry.name not in ("prompt", "mask"))
_OPTION = re.compile(rf",({'|'.join(CONDITION_OPTIONS)})=")

_REGION_OPTION = re.compile(rf",({'|'.join(REGION_OPTIONS)})=")


def parse_condition(text: str) -> dict[str, Any]:
    """``scribble=drawing.png,strength=0.8,end=0.6``: the condition's fields, its picture and mask as paths.

    Raises:
        ValueError: anything else.
    """
    kind, found, rest = text.partition("=")
    file, *options = _OPTION.split(rest)
    if not found or kind not in CONTROL_KINDS or not file:
        raise ValueError(
            f"a condition is KIND=FILE, such as scribble=drawing.png, where KIND is one of {', '.join(CONTROL_KINDS)}"
        )
    said: dict[str, Any] = {name: _value(name, value) for name, value in zip(options[::2], options[1::2], strict=True)}
    start, end = (said.get(name, _FIELDS[name].default) for name in ("start", "end"))
    if start > end:
        raise ValueError("the condition's end must be at its start or after")
    if kind != REFERENCE and ("role" in said or "name" in said):
        raise ValueError("role and name are of references alone")
    return {"kind": kind, "picture": Path(file), **said}


def parse_region(text: str) -> dict[str, Any]:
    """``left.png=an apple,negative_prompt=leaves``: the region's fields, its mask as a path. A prompt may have commas.

    Raises:
        ValueError: anything else.
    """
    file, found, rest = text.partition("=")
    prompt, *options = _REGION_OPTION.split(rest)
    if not found or not file:
        raise ValueError("a region is MASK=PROMPT, such as left.png=an apple")
    said = dict(zip(options[::2], options[1::2], strict=True))
    most = _PROMPT.metadata["max"]
    if any(len(words) > most for words in (prompt, *said.values())):
        raise ValueError(f"the region's prompts must be at most {most} characters long")
    return {"mask": Path(file), "prompt": prompt, **said}


def _value(name: str, value: str) -> float | str | Path:
    if name == "role":
        if value not in tuple(ReferenceRole):
            raise ValueError(f"a reference's role is one of {', '.join(ReferenceRole)}")
        return ReferenceRole(value)
    limits = _FIELDS[name].metadata
    if "min" not in limits:
        return Path(value) if name == "mask" else value
    number = float(value)
    # Written so that NaN fails too.
    if not limits["min"] <= number <= limits["max"]:
        raise ValueError(f"the condition's {name} must be between {limits['min']} and {limits['max']}")
    return number
