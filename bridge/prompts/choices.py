"""`{a|b}`: one of several, drawn by the picture's seed."""

import hashlib

from .errors import PromptUnreadable

__all__ = ["choose"]

_DEEPEST = 16


def choose(text: str, seed: int, *, stream: str) -> str:
    """`text` with every choice made. A backslash takes the next character's meaning away, and stays.

    The n-th brace of the text as it is written, with `seed` and `stream`, decides alone: what is chosen elsewhere does
    not change it, and the same text and seed always give the same. Braces without a bar are text.

    Raises PromptUnreadable for choices within choices beyond reason.
    """
    return _Reader(text, seed, stream).read(0, len(text))


class _Reader:
    def __init__(self, text: str, seed: int, stream: str) -> None:
        self._text = text
        self._drawn_by = f"{stream} {seed}"
        self._closed_by: dict[int, int] = {}
        self._numbers: dict[int, int] = {}
        open_braces: list[int] = []
        for at in _unescaped(text):
            if text[at] == "{":
                open_braces.append(at)
                self._numbers[at] = len(self._numbers)
            elif text[at] == "}" and open_braces:
                self._closed_by[open_braces.pop()] = at
        self._check_depth()

    def read(self, start: int, end: int) -> str:
        """The text from `start` to `end`, which holds whole braces."""
        read, at = [], start
        while at < end:
            if self._text[at] == "{" and at in self._closed_by:
                close = self._closed_by[at]
                read.append(self._chosen(at, close))
                at = close + 1
            else:
                width = 2 if self._text[at] == "\\" else 1
                read.append(self._text[at : at + width])
                at += width
        return "".join(read)

    def _chosen(self, opening: int, close: int) -> str:
        bars = self._bars(opening + 1, close)
        if not bars:
            return "{" + self.read(opening + 1, close) + "}"
        starts, ends = [opening + 1, *(bar + 1 for bar in bars)], [*bars, close]
        digest = hashlib.sha256(f"{self._drawn_by} {self._numbers[opening]}".encode()).digest()
        drawn = int.from_bytes(digest) % len(starts)
        return self.read(starts[drawn], ends[drawn])

    def _check_depth(self) -> None:
        closing: list[int] = []
        for opening, close in sorted(self._closed_by.items()):
            while closing and closing[-1] < opening:
                closing.pop()
            closing.append(close)
            if len(closing) > _DEEPEST:
                raise PromptUnreadable(
                    f"The prompt has choices within choices, more than {_DEEPEST} deep.", hint="Write fewer braces."
                )

    def _bars(self, start: int, end: int) -> list[int]:
        """Where the alternatives part, those of inner choices left out."""
        bars, at = [], start
        while at < end:
            if self._text[at] == "|":
                bars.append(at)
            at = self._closed_by.get(at, at + (self._text[at] == "\\")) + 1
        return bars


def _unescaped(text: str) -> list[int]:
    """The positions of all characters but those after a backslash, and the backslashes."""
    positions, at = [], 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        else:
            positions.append(at)
        at += 1
    return positions
