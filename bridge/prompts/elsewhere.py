"""What other programs understand in a prompt, and what is read as words here: the artist is told."""

import re

from ..errors import Sentence
from .errors import quoted

__all__ = ["about_elsewhere"]

# A1111's composable diffusion.
_AND = re.compile(r"\bAND\b")
# Compel's and InvokeAI's (word)1.3 and word++. "c++" is a word.
_COMPEL = re.compile(r"(?<!\\)\([^()]*\)(?:\d*\.?\d+|\++|-+)(?!\w)|\b\w{3,}\+\+")
_COMMENT = re.compile(r"^[ \t]*(?:#|//|/\*).*", re.MULTILINE)
# Midjourney's parameters.
_PARAMETER = re.compile(
    r"(?<!\S)--(?:ar|aspect|chaos|iw|niji|no|q|quality|seed|s|style|stylize|tile|v|weird)\b(?: [\w.:]+)?"
)
# A wildcard that is none: what is one has been drawn.
_GLUED = re.compile(r"(?<!\\)__[^\W_](?:(?!__)[\w\-./ *])*__")


def about_elsewhere(text: str) -> tuple[str, ...]:
    """Hints for a prompt without its LoRAs whose choices are made."""
    hints = []
    if _AND.search(text):
        hints.append(
            '"AND" is read as a word: prompts are not composed here. Write BREAK to have a part read by itself.'
        )
    hints += [
        Sentence('"{found}" is read as text: a weight is written (word:1.3).', found=quoted(found))
        for found in _COMPEL.findall(text)
    ]
    hints += [
        Sentence('"{found}" is read as part of the prompt: there are no comments here.', found=quoted(found))
        for found in _COMMENT.findall(text)
    ]
    hints += [
        Sentence('"{found}" is read as text: prompts have no such options here.', found=quoted(found))
        for found in _PARAMETER.findall(text)
    ]
    hints += [
        Sentence('"{found}" is read as text: a wildcard stands apart from letters and digits.', found=quoted(found))
        for found in _GLUED.findall(text)
    ]
    return tuple(dict.fromkeys(hints))
