"""`<layer:name>`: a reference, by its name."""

import re
import unicodedata
from collections.abc import Mapping

from .errors import PromptUnreadable

__all__ = ["named_as"]

_LAYER = re.compile(r"(?<!\\)<layer:([^<>]*)>", re.IGNORECASE)


def named_as(text: str, words: Mapping[str, str]) -> str:
    """`text` with words in place of its references, by their names.

    Raises PromptUnreadable for a name that no reference has.
    """
    known = {_normal(name): said for name, said in words.items()}

    def said(tag: re.Match[str]) -> str:
        name = _normal(tag[1])
        if name not in known:
            raise PromptUnreadable(
                "<layer:{name}> names no reference of this job.",
                hint='There are: {names}. Write "\\<" for text.',
                name=tag[1],
                names=", ".join(words) or "none",
            )
        return known[name]

    return _LAYER.sub(said, text)


def _normal(name: str) -> str:
    # One letter with an accent may be spelled as two characters.
    return unicodedata.normalize("NFC", name.strip())
