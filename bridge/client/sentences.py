"""Sentences of the bridge in the artist's language, also those that have something filled in.

A catalogue has these by their templates, ``{0} jobs are waiting, which is the bridge's limit.``: the bridge sends them
filled, in English. Here they are recognised by what stands around the gaps.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from typing import Callable

__all__ = ["Sentences"]


class Sentences:
    """Translates whole sentences. ``translate`` gives a text of the catalogue in the artist's language, and whatever it
    does not know as it is; ``templates`` are the texts with gaps that it knows.
    """

    def __init__(self, templates: Iterable[str], translate: Callable[[str], str]) -> None:
        self._translate = translate
        # The one that says most first: a gap takes anything.
        by_words = sorted(templates, key=lambda template: len(_words(template)), reverse=True)
        self._patterns = [(_pattern(template), template) for template in by_words]

    def __call__(self, sentence: str) -> str:
        """The sentence; one that nobody has translated stays English."""
        found = self._translate(sentence)
        if found != sentence:
            return found
        for pattern, template in self._patterns:
            match = pattern.fullmatch(sentence)
            if match is not None:
                # A gap can hold a sentence, too.
                return self._translate(template).format(*(self(gap) if " " in gap else gap for gap in match.groups()))
        return sentence


def _words(template: str) -> str:
    return "".join(text for text, *_ in string.Formatter().parse(template))


def _pattern(template: str) -> re.Pattern[str]:
    parts = string.Formatter().parse(template)
    pieces = (re.escape(text) + ("" if gap is None else "(.+?)") for text, gap, *_ in parts)
    return re.compile("".join(pieces), re.DOTALL)
