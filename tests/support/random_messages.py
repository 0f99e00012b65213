"""Random messages, drawn from the fields themselves."""

from __future__ import annotations

import random
import string
from dataclasses import is_dataclass
from typing import Any, Union, get_args, get_origin

from bridge.errors import Sentence
from bridge.protocol.fields import StrEnum, field_specs

__all__ = ["random_message"]


def random_message(cls: type[Any], rng: random.Random, *, full: bool) -> Any:
    """A message of a class: all fields given if ``full``, else the required ones only."""
    return cls(
        **{
            spec.name: _value(spec.kind, dict(spec.metadata), rng, full=full)
            for spec in field_specs(cls)
            if full or spec.required
        }
    )


def _value(kind: Any, limits: dict[str, Any], rng: random.Random, *, full: bool) -> Any:
    origin = get_origin(kind)
    if kind is Sentence:
        return _sentence(rng)
    if origin is Union:
        inner = next(arg for arg in get_args(kind) if arg is not type(None))
        return _value(inner, limits, rng, full=full)
    if origin in (tuple, dict):
        size = _size(limits, rng, most=3)
        item = get_args(kind)[0 if origin is tuple else 1]
        if origin is tuple:
            return tuple(_value(item, {}, rng, full=full) for _ in range(size))
        return {f"key {index}": _value(item, {}, rng, full=full) for index in range(size)}
    if is_dataclass(kind):
        return random_message(kind, rng, full=full)
    if issubclass(kind, StrEnum):
        return rng.choice(list(kind))
    if kind is bool:
        return rng.random() < 0.5
    if kind is int:
        return rng.randint(limits.get("min", -(1 << 40)), limits.get("max", 1 << 40))
    if kind is float:
        return rng.uniform(limits.get("min", -1e6), limits.get("max", 1e6))
    if kind is bytes:
        return rng.randbytes(_size(limits, rng, most=40))
    assert kind is str
    return "".join(rng.choice(string.printable + "äλ画🎨") for _ in range(_size(limits, rng, most=70)))


def _sentence(rng: random.Random, deep: int = 3) -> Sentence:
    """Some of them with a number, a text and a sentence filled in, which may have others in it."""
    words = _value(str, {"max": 40}, rng, full=True)
    if deep == 0 or rng.random() < 0.5:
        return Sentence(words)
    values = {"count": rng.randint(0, 1 << 40), "share": rng.random(), "name": words, "more": _sentence(rng, deep - 1)}
    return Sentence("{name} has {count} of {share}. {more}", **values)


def _size(limits: dict[str, Any], rng: random.Random, *, most: int) -> int:
    low = limits.get("min", 0)
    return rng.randint(low, max(low, min(limits.get("max", most), most)))
