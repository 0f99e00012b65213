"""`{a|b}` and `__name__`: one of several, or some of them, drawn by the picture's seed.

The syntax is that of the WebUI's extension for dynamic prompts, which artists know.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

from ..errors import Sentence
from .errors import PromptUnreadable, quoted

__all__ = ["LONGEST", "Drawn", "Options", "draw"]

LONGEST = 8192
"""Characters that a prompt may have when all is drawn."""

Options = Callable[[str], Sequence[str]]
"""The options of a wildcard by its name, as they stand in its file; raises what is to end the job."""

_DEEPEST = 16
_MOST_WILDCARDS = 1000
# It stands apart from letters and digits: the names of LoRAs and files have double underscores too.
_WILDCARD = re.compile(r"(?<![^\W_])__(?=[^\s_])((?:(?!__)[\w\-./ *])+)(?<=[^\s_])__(?![^\W_])")
# {2$$a|b|c}, {1-2$$ and $$a|b|c}: how many, and what stands between them.
_COUNT = re.compile(r"\s*(?:(\d{1,4})|(\d{0,4})\s*-\s*(\d{0,4}))\s*\$\$(?:([^{}|$]*)\$\$)?")
_BETWEEN = ", "
_WEIGHT = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*::")


@dataclass(frozen=True)
class Drawn:
    """A text with every choice made, and hints about what looks like one and is none."""

    text: str
    hints: tuple[str, ...]


@dataclass(frozen=True)
class _Pool:
    """What can be drawn: texts as they are written, and how often each is drawn beside the others; None: equally often.
    `read` draws what is in the one of that index, for which it is told the draw's own place.
    """

    texts: Sequence[str]
    weights: Sequence[float] | None
    read: Callable[[int, str], str]

    def draw(self, place: str, among: Sequence[int] | None = None) -> int:
        """The index of one of them, or of one `among` these."""
        indices = range(len(self.texts)) if among is None else among
        if self.weights is None:
            return indices[_number(place) % len(indices)]
        bounds = list(accumulate(self.weights[index] for index in indices))
        if not bounds[-1]:
            raise PromptUnreadable(
                '"{text}" and all that could be drawn in its place have the weight 0.',
                hint="Give one of them a weight above 0, as in {0.5::a|b}.",
                text=quoted(self.texts[indices[0]]),
            )
        drawn = (_number(place) >> 203) / (1 << 53) * bounds[-1]
        return next(index for index, bound in zip(indices, bounds, strict=True) if drawn < bound)


def draw(text: str, seed: int, *, stream: str, options: Options) -> Drawn:
    """`text` with every choice made. A backslash takes the next character's meaning away, and stays.

    The n-th brace of the text as it is written, with `seed` and `stream`, decides alone, and so does the n-th wildcard:
    what is chosen elsewhere does not change it, and the same text, seed and files always give the same. Braces without
    a bar and without a count are text.

    Raises PromptUnreadable for choices within choices beyond reason, for wildcards that lead back to themselves, and
    for a text that grows beyond `LONGEST`; and what `options` raises.
    """
    job = _Job(options)
    drawn = _Reader(text, f"{stream} {seed}", (), job).whole()
    if len(drawn) > LONGEST:
        raise _too_long()
    return Drawn(drawn, tuple(job.hints))


@dataclass
class _Job:
    """What a text and all that is drawn into it have in common."""

    options: Options
    hints: dict[str, None] = field(default_factory=dict)
    wildcards: int = 0


class _Reader:
    """One text: the prompt, or an option of a file. `place` tells it from all others in the job, `within` are the
    wildcards that led here.
    """

    def __init__(self, text: str, place: str, within: tuple[str, ...], job: _Job) -> None:
        self._text = text
        self._place = place
        self._within = within
        self._job = job
        self._closed_by: dict[int, int] = {}
        self._numbers: dict[int, int] = {}
        unescaped = _unescaped(text)
        self._pair_braces(unescaped)
        self._check_depth()
        starts = set(unescaped)
        found = (match for match in _WILDCARD.finditer(text) if match.start() in starts)
        self._wildcards = {match.start(): (number, match) for number, match in enumerate(found)}

    def whole(self) -> str:
        return self._read(0, len(self._text))

    # ------------------------------------------------------------ the text

    def _pair_braces(self, unescaped: Sequence[int]) -> None:
        open_braces: list[int] = []
        for at in unescaped:
            if self._text[at] == "{":
                open_braces.append(at)
                self._numbers[at] = len(self._numbers)
            elif self._text[at] == "}" and open_braces:
                self._closed_by[open_braces.pop()] = at
            elif self._text[at] == "}":
                self._hint('A "}" closes no "{", so it is read as text. Write "\\}" for that.')
        if open_braces:
            self._hint('A "{" is never closed, so it is read as text and nothing is chosen. Write "\\{" for text.')

    def _check_depth(self) -> None:
        closing: list[int] = []
        for opening, close in sorted(self._closed_by.items()):
            while closing and closing[-1] < opening:
                closing.pop()
            closing.append(close)
            if len(closing) > _DEEPEST:
                raise PromptUnreadable(
                    "The prompt has choices within choices, more than {deepest} deep.",
                    hint="Write fewer braces.",
                    deepest=_DEEPEST,
                )

    def _read(self, start: int, end: int) -> str:
        """The text from `start` to `end`, which holds whole braces and wildcards."""
        read, at = [], start
        while at < end:
            if self._text[at] == "{" and at in self._closed_by:
                close = self._closed_by[at]
                read.append(self._braces(at, close))
                at = close + 1
            elif at in self._wildcards:
                number, match = self._wildcards[at]
                place = _within(self._place, "wildcard", number)
                pool = self._options(match[1])
                read.append(pool.read(pool.draw(place), place))
                at = match.end()
            else:
                width = 2 if self._text[at] == "\\" else 1
                read.append(self._text[at : at + width])
                at += width
        return "".join(read)

    # ------------------------------------------------------------ what is drawn

    def _braces(self, opening: int, close: int) -> str:
        count = _COUNT.match(self._text, opening + 1, close)
        start = count.end() if count else opening + 1
        bars = self._bars(start, close)
        if not bars and not count:
            self._mention_text(opening, close)
            return "{" + self._read(opening + 1, close) + "}"
        place = _within(self._place, self._numbers[opening])
        alone = _WILDCARD.fullmatch(self._text[start:close].strip()) if not bars else None
        pool = self._options(alone[1]) if alone else self._alternatives([start - 1, *bars, close])
        if count is None:
            return pool.read(pool.draw(place), place)
        left, drawn = list(range(len(pool.texts))), []
        for number in range(self._how_many(count, place, len(left), self._text[opening : close + 1])):
            here = _within(place, "pick", number)
            index = pool.draw(here, left)
            left.remove(index)
            drawn.append(pool.read(index, here).strip())
        return (_BETWEEN if count[4] is None else count[4]).join(filter(None, drawn))

    def _alternatives(self, bounds: Sequence[int]) -> _Pool:
        """What stands between the bounds. Its own place in the text decides what is drawn in it."""
        starts = [bound + 1 for bound in bounds[:-1]]
        said = [_WEIGHT.match(self._text, start, end) for start, end in zip(starts, bounds[1:], strict=True)]
        spans = [
            (weight.end() if weight else start, end)
            for weight, start, end in zip(said, starts, bounds[1:], strict=True)
        ]
        weights = [float(weight[1]) if weight else 1.0 for weight in said] if any(said) else None
        return _Pool([self._text[slice(*span)] for span in spans], weights, lambda index, _: self._read(*spans[index]))

    def _options(self, name: str) -> _Pool:
        """A wildcard's options."""
        within = (*self._within, name)
        if name.casefold() in map(str.casefold, self._within):
            raise PromptUnreadable(
                "The wildcard __{name}__ leads back to itself: {within}.",
                hint="Take it out of one of these files.",
                name=name,
                within=" > ".join(within),
            )
        self._job.wildcards += 1
        if len(within) > _DEEPEST or self._job.wildcards > _MOST_WILDCARDS:
            raise PromptUnreadable(
                "The wildcard __{name}__ leads to too many others: {most} in all, and {deepest} "
                "within each other, are the most.",
                hint="Use fewer of them in its file.",
                name=name,
                most=_MOST_WILDCARDS,
                deepest=_DEEPEST,
            )
        texts, weights = _weighed(tuple(self._job.options(name)))

        def read(index: int, place: str) -> str:
            if len(texts[index]) > LONGEST:
                raise _too_long()
            return _Reader(texts[index], place, within, self._job).whole()

        return _Pool(texts, weights, read)

    def _how_many(self, count: re.Match[str], place: str, there: int, said: str) -> int:
        low = int(count[1] or count[2] or 1)
        high = int(count[1] or count[3] or max(there, low))
        if low > high:
            raise PromptUnreadable(
                '"{said}" asks for at least {low} and at most {high}.',
                hint="Write the smaller number first.",
                said=quoted(said),
                low=low,
                high=high,
            )
        if high > there:
            self._hint(
                Sentence(
                    '"{said}" asks for {high}, and there are only {there} to draw from.',
                    said=quoted(said),
                    high=high,
                    there=there,
                )
            )
        return min(low + _number(_within(place, "count")) % (high - low + 1), there)

    def _bars(self, start: int, end: int) -> list[int]:
        """Where the alternatives part, those of inner choices left out."""
        bars, at = [], start
        while at < end:
            if self._text[at] == "|":
                bars.append(at)
            at = self._closed_by.get(at, at + (self._text[at] == "\\")) + 1
        return bars

    def _mention_text(self, opening: int, close: int) -> None:
        said = quoted(self._text[max(opening - 1, 0) : close + 1])
        if self._text[opening - 1 : opening] in ("$", "%"):
            self._hint(Sentence('"{said}" is read as text: there are no variables here.', said=said))
        else:
            said = quoted(self._text[opening : close + 1])
            self._hint(
                Sentence(
                    '"{said}" is read as text: braces choose between alternatives, with a "|" between them.', said=said
                )
            )

    def _hint(self, words: str) -> None:
        self._job.hints[words] = None


@lru_cache(maxsize=32)
def _weighed(lines: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[float, ...] | None]:
    """A file's options without their weights, and these; None where none is written."""
    said = [_WEIGHT.match(line) for line in lines]
    if not any(said):
        return lines, None
    texts = (line[weight.end() :].lstrip() if weight else line for weight, line in zip(said, lines, strict=True))
    return tuple(texts), tuple(float(weight[1]) if weight else 1.0 for weight in said)


def _within(place: str, *steps: object) -> str:
    return " ".join((place, *map(str, steps)))


def _number(place: str) -> int:
    """A number of 256 bits for a place."""
    return int.from_bytes(hashlib.sha256(place.encode()).digest())


def _too_long() -> PromptUnreadable:
    return PromptUnreadable(
        "With what was drawn from wildcards the prompt is longer than {most} characters.",
        hint="Use fewer wildcards, or shorter lines in their files.",
        most=LONGEST,
    )


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
