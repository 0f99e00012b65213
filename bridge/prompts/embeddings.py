"""Names of textual inversions in a prompt: as a word, as in the WebUI, or as `embedding:name`, as in ComfyUI."""

import re
from collections.abc import Collection, Iterator
from functools import lru_cache

from ..errors import Sentence
from .errors import quoted
from .weights import Text

__all__ = ["about_unknown_embeddings", "named_embeddings", "split_at_embeddings"]

# ComfyUI names a file, perhaps with its folder and its ending.
_PREFIX = r"(?:embedding:[ \t]*(?:[\w.-]+[/\\])*)?"
_ENDING = r"(?:\.(?:safetensors|pt|bin)(?!\w))?"
# ComfyUI's embedding:name, and diffusers' <name>.
_UNKNOWN = re.compile(r"\bembedding:\s*[^\s,()\[\]{}<>|:]+|(?<!\\)<[A-Za-z][\w-]*>")


def split_at_embeddings(text: str, names: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """The text in pieces, and for those that name a textual inversion which of the `names` that is.

    A name stands apart from letters and digits; case does not matter.
    """
    if not names:
        yield text, None
        return
    known = {name.lower(): name for name in names}
    at = 0
    for found in _pattern(tuple(sorted(known, key=lambda name: (-len(name), name)))).finditer(text):
        if found.start() > at:
            yield text[at : found.start()], None
        yield found[0], known[found["name"].lower()]
        at = found.end()
    if at < len(text):
        yield text[at:], None


def named_embeddings(text: Text, names: Collection[str]) -> dict[str, str]:
    """Which of the `names` of textual inversions a text has, and how each is first written there."""
    found: dict[str, str] = {}
    for passage in text:
        for fragment in passage:
            for said, name in split_at_embeddings(fragment.text, names):
                if name is not None:
                    found.setdefault(name, said)
    return found


def about_unknown_embeddings(text: str, names: Collection[str]) -> tuple[str, ...]:
    """Hints for what a text, as it is written, has of textual inversions that are none of the `names`."""
    rest = (piece for piece, name in split_at_embeddings(text, names) if name is None)
    return tuple(
        Sentence('"{said}" is read as words: there is no textual inversion of that name.', said=quoted(said))
        for said in dict.fromkeys(said for piece in rest for said in _UNKNOWN.findall(piece))
    )


@lru_cache(maxsize=16)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    one_of = "|".join(map(re.escape, names))
    return re.compile(rf"(?<![\w.+-]){_PREFIX}(?P<name>{one_of}){_ENDING}(?![\w+-]|\.\w)", re.IGNORECASE)
