"""The fields of messages: how they are declared, and how they are read by whatever is generated from them.

A message is a frozen dataclass. Field types are ``bool int float str bytes``, a :class:`StrEnum`, ``Optional``,
``Tuple[X, ...]``, ``Dict[str, X]``, other such dataclasses, and ``Sentence``, which travels as a
:class:`.sentences.WireSentence`; nothing else. Metadata keys: ``doc`` (one sentence),
``min`` and ``max`` (inclusive: of the number; of the length for str, bytes, tuples and maps), ``kinds`` (of job, that
the field has an effect on; none: all). Runs on Python 3.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

__all__ = ["FieldSpec", "StrEnum", "described", "field_specs", "hash_field"]


class StrEnum(str, Enum):
    """A closed set of names. Each is the text that travels (``enum.StrEnum`` exists since Python 3.11)."""

    def __str__(self) -> str:
        return str(self.value)


def described(doc: str, default: Any = MISSING, **limits: Any) -> Any:
    """A field with its documentation and its range."""
    return field(default=default, metadata={"doc": doc, **limits})


def hash_field(doc: str) -> Any:
    """A field that holds a SHA-256 in hexadecimal."""
    return described(doc, min=64, max=64)


@dataclass(frozen=True)
class FieldSpec:
    """One field of a message: its type, its range and its documentation."""

    name: str
    kind: Any
    default: Any
    metadata: Mapping[str, Any]

    @property
    def required(self) -> bool:
        return self.default is MISSING

    @property
    def optional(self) -> bool:
        """Whether the value may be None."""
        return get_origin(self.kind) is Union

    @property
    def core(self) -> Any:
        """The type, of an optional field without None."""
        return next(arg for arg in get_args(self.kind) if arg is not type(None)) if self.optional else self.kind


@cache
def field_specs(cls: type[Any]) -> tuple[FieldSpec, ...]:
    """The fields of a message class, with resolved types."""
    hints = get_type_hints(cls)
    return tuple(FieldSpec(f.name, hints[f.name], f.default, f.metadata) for f in fields(cls))
