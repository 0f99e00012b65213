"""Fields of a request, read one by one: of the right type and inside their range, or told together what is wrong.

Texts that hold a number are taken for numbers, as the servers whose APIs these are do. Null counts as not given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["MOST_SIDE", "Fields", "FieldsRefused", "Problem"]

MOST_SIDE = 16384
"""Most pixels a side that a request may ask for by numbers."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a field; ``kind`` is ``integer``, ``float``, ``str``, ``bool``, ``value`` or ``missing``."""

    field: str
    words: str
    kind: str


class FieldsRefused(Exception):
    """Some fields cannot be used."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.words}" for problem in problems))
        self.problems = tuple(problems)


class Fields:
    """Reads fields. What is wrong is kept until :meth:`check`, and the field's default stands in for it."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._read: set[str] = set()
        self._ignored: list[str] = []
        self._problems: list[Problem] = []

    def check(self) -> None:
        """Raise FieldsRefused when something was wrong with a field."""
        if self._problems:
            raise FieldsRefused(self._problems)

    def ignored(self) -> tuple[str, ...]:
        """Names of the fields that were given and had no effect."""
        unknown = (name for name in self._values if name not in self._read)
        return (*self._ignored, *unknown)

    def refuse(self, field: str, words: str, kind: str = "value") -> None:
        """Note something wrong with a field."""
        self._problems.append(Problem(field, words, kind))

    def text(self, name: str, default: str = "", *, most: int = 8192) -> str:
        """A text of at most so many characters."""
        value = self.raw(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self.refuse(name, "it must be a text.", "str")
            return default
        if len(value) > most:
            self.refuse(name, f"it must have at most {most} characters.")
            return default
        return value

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.raw(name)
        if value is None:
            return default
        said = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
        if said is None:
            self.refuse(name, "it must be true or false.", "bool")
        return default if said is None else said

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``."""
        value = self._number(name)
        if value is None:
            return default
        if value != math.floor(value):
            self.refuse(name, "it must be a whole number.", "integer")
            return default
        return int(self._ranged(name, value, default, low, high))

    def number(self, name: str, default: float, low: float, high: float) -> float:
        """A number from ``low`` to ``high``."""
        value = self._number(name)
        return default if value is None else float(self._ranged(name, value, default, low, high))

    def choice(self, name: str, default: str, choices: Sequence[str]) -> str:
        """One of these texts."""
        value = self.text(name, default)
        if value not in choices:
            self.refuse(name, f"it must be one of {', '.join(choices)}.")
            return default
        return value

    def pictures(self, name: str) -> list[str]:
        """A list of texts; a text alone counts as one of them."""
        value = self.raw(name)
        if value is None:
            return []
        entries = [value] if isinstance(value, str) else value
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            self.refuse(name, "it must be a list of pictures in Base64.", "str")
            return []
        return entries

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A JSON object."""
        value = self.raw(name)
        if value is not None and not isinstance(value, dict):
            self.refuse(name, "it must be an object.", "dict")
        return value if isinstance(value, dict) else {}

    def without_effect(self, **harmless: Any) -> None:
        """Fields that the bridge knows and does not heed. They count as ignored where they ask for something: where
        they are given, and not empty, and not this, or none of these.
        """
        for name, values in harmless.items():
            asks_for_nothing = values if isinstance(values, tuple) else (values,)
            if self.raw(name) not in (None, "", [], {}, *asks_for_nothing):
                self._ignored.append(name)

    def ignore(self, name: str) -> None:
        """A field had no effect."""
        self._ignored.append(name)

    def raw(self, name: str) -> Any:
        """The value as it came; None: not given."""
        self._read.add(name)
        return self._values.get(name)

    def _number(self, name: str) -> int | float | None:
        value = self.raw(name)
        if isinstance(value, str):
            try:
                value = int(value) if value.strip().lstrip("+-").isdigit() else float(value)
            except ValueError:
                value = math.nan
        if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        if value is not None:
            self.refuse(name, "it must be a number.", "float")
        return None

    def _ranged(self, name: str, value: float, default: float, low: float, high: float) -> int | float:
        if low <= value <= high:
            return value
        self.refuse(name, f"it must lie within {low} and {high}.")
        return default
