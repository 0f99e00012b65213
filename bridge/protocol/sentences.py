"""How a sentence crosses the wire: a map of its template, its values and its English text.

Messages hold :class:`bridge.errors.Sentence`; the codec (:mod:`.wire`) puts this form in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Union

from ..errors import Sentence

__all__ = ["WireSentence"]

_LONGEST = 1024
_LONGEST_VALUE = 512


@dataclass(frozen=True)
class WireSentence:
    """A sentence for people. `text` is all that a client needs that speaks English. One that speaks other languages
    looks `id` up in its catalogue, and fills the places of what it finds there with `values`, by their names; what
    stands in braces and has no value is text.
    """

    id: str = field(metadata={"doc": "The English template; its places are `{name}`.", "max": _LONGEST})
    values: dict[str, Union[str, int, float, WireSentence]] = field(
        metadata={
            "doc": "What the places hold; a sentence among them is looked up in its turn.",
            "max": 32,
        }
    )
    text: str = field(metadata={"doc": "The template with its places filled.", "max": _LONGEST})

    @classmethod
    def of(cls, words: str) -> WireSentence:
        """The wire's form of a sentence, or of a text. What is longer than the wire takes is cut: an error may name
        every checkpoint that there is.
        """
        sentence = Sentence(words)
        values = {name: _to_wire(value) for name, value in sentence.values.items()}
        return cls(_cut(sentence.template, _LONGEST), values, _cut(sentence.text, _LONGEST))

    def sentence(self) -> Sentence:
        """What a client shows."""
        values = {
            name: value.sentence() if isinstance(value, WireSentence) else value for name, value in self.values.items()
        }
        return Sentence.received(self.id, values, self.text)


def _to_wire(value: Any) -> Any:
    if isinstance(value, Sentence):
        return WireSentence.of(value)
    return _cut(value, _LONGEST_VALUE) if isinstance(value, str) else value


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."
