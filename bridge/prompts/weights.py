"""`(word)`, `(word:1.3)` and `[word]`: what counts more, and what less.

The syntax of the Stable Diffusion WebUI (AUTOMATIC1111's wiki, "Attention/emphasis"), which artists know: round
brackets multiply by 1.1 or by the number given, square ones divide by 1.1, and brackets within brackets multiply.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from ..errors import Sentence
from .errors import PromptUnreadable, quoted
from .loras import STRONGEST

__all__ = ["Fragment", "Text", "read_weights"]

_STEP = 1.1
_ESCAPABLE = frozenset("\\()[]{}|<>_")
_NUMBER = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\Z")
_BREAK = re.compile(r"\bBREAK\b")
# What closes a bracket there is a face.
_EYES = frozenset(":;=8-'")
# [from:to:when] and [this|that], which the WebUI changes from step to step.
_ON_THE_WAY = re.compile(r"\|| *:[^:]*:? *[\d.]+\s*\Z")


@dataclass(frozen=True)
class Fragment:
    """Words, and how much they count: 1 is as they are."""

    text: str
    weight: float = 1.0


Text = tuple[tuple[Fragment, ...], ...]
"""A prompt as the text encoders are given it. Each part begins a window of its own; most prompts have one part."""


@lru_cache(maxsize=128)
def read_weights(text: str) -> tuple[Text, tuple[str, ...]]:
    """The text's fragments, with hints about what is not meant as the WebUI means it.

    Unweighted text is a single fragment. Raises PromptUnreadable for weights beyond reason.
    """
    reader = _Reader()
    at = 0
    while at < len(text):
        character = text[at]
        if character == "\\" and text[at + 1 : at + 2] in _ESCAPABLE and at + 1 < len(text):
            reader.literal(text[at + 1])
            at += 1
        elif character in "([":
            reader.open(character)
        elif character in ")]":
            reader.close(character)
        else:
            reader.literal(character)
        at += 1
    return reader.finish()


class _Reader:
    """Fragments so far, and where the brackets that are open began among them."""

    def __init__(self) -> None:
        self._fragments: list[Fragment] = []
        self._literal: list[str] = []
        self._open: dict[str, list[int]] = {"(": [], "[": []}
        self._hints: list[str] = []

    def literal(self, character: str) -> None:
        self._literal.append(character)

    def open(self, bracket: str) -> None:
        self._flush()
        self._open[bracket].append(len(self._fragments))

    def close(self, bracket: str) -> None:
        opened = self._open["(" if bracket == ")" else "["]
        if not opened:
            if not self._literal or self._literal[-1] not in _EYES:
                self._hint(
                    Sentence(
                        'A "{bracket}" closes no bracket, so it is read as text. Write "\\{bracket}" for that.',
                        bracket=bracket,
                    )
                )
            self.literal(bracket)
            return
        factor = _STEP if bracket == ")" else 1 / _STEP
        if bracket == ")" and (said := _NUMBER.search(text := "".join(self._literal))):
            self._literal = list(text[: said.start()])
            factor = float(said[1])
        self._flush()
        start = opened.pop()
        if bracket == "]":
            self._mention_scheduling(start)
        self._weigh(start, factor)

    def finish(self) -> tuple[Text, tuple[str, ...]]:
        self._flush()
        for bracket, factor in (("(", _STEP), ("[", 1 / _STEP)):
            for start in self._open[bracket]:
                self._weigh(start, factor)
                self._hint(
                    Sentence(
                        'A "{bracket}" is never closed, so it weighs all that follows. Write "\\{bracket}" for text.',
                        bracket=bracket,
                    )
                )
        parts: list[list[Fragment]] = [[]]
        for fragment in self._fragments:
            first, *others = _BREAK.split(fragment.text)
            _append(parts[-1], Fragment(first, fragment.weight))
            for words in others:
                parts.append([])
                _append(parts[-1], Fragment(words, fragment.weight))
        return tuple(map(tuple, parts)), tuple(self._hints)

    def _flush(self) -> None:
        if self._literal:
            self._fragments.append(Fragment("".join(self._literal)))
            self._literal.clear()

    def _weigh(self, start: int, factor: float) -> None:
        for at in range(start, len(self._fragments)):
            fragment = self._fragments[at]
            weight = fragment.weight * factor
            if abs(weight) > STRONGEST:
                raise PromptUnreadable(
                    '"{text}" is given a weight of {weight}, which is beyond reason.',
                    hint="Most weights lie between 0.5 and 1.5; write \\( and \\) for brackets that are text.",
                    text=quoted(fragment.text),
                    weight=f"{weight:g}",
                )
            self._fragments[at] = Fragment(fragment.text, weight)

    def _mention_scheduling(self, start: int) -> None:
        words = "".join(fragment.text for fragment in self._fragments[start:])
        if _ON_THE_WAY.search(words):
            self._hint(
                Sentence(
                    '"[{words}]" is read as text that counts less: prompts do not change on the way '
                    "here. {a|b} chooses one for each picture.",
                    words=quoted(words),
                )
            )

    def _hint(self, words: str) -> None:
        if words not in self._hints:
            self._hints.append(words)


def _append(part: list[Fragment], fragment: Fragment) -> None:
    """To the part's last fragment where the weight is the same, so that words are never cut without need."""
    if part and part[-1].weight == fragment.weight:
        part[-1] = Fragment(part[-1].text + fragment.text, fragment.weight)
    elif fragment.text:
        part.append(fragment)
