"""Settings that persist, in Krita's own settings file."""

from __future__ import annotations

import json
from typing import TypeVar

import krita

__all__ = ["load", "save"]

_GROUP = "paintbridge"

T = TypeVar("T")


def load(name: str, otherwise: T) -> T:
    """What was saved; where nothing was, or it has another type than ``otherwise``, that."""
    try:
        value = json.loads(krita.Krita.instance().readSetting(_GROUP, name, "null"))
    except ValueError:
        return otherwise
    return value if isinstance(value, type(otherwise)) else otherwise


def save(name: str, value: object) -> None:
    """Anything that JSON has."""
    krita.Krita.instance().writeSetting(_GROUP, name, json.dumps(value))
