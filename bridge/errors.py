"""Sentences for people, and the base of every error that is told in them.

This module travels with the client into the plug-ins: Python 3.9, standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Union

__all__ = ["PaintbridgeError", "Sentence", "Value", "text_only"]

Value = Union[str, int, float]
"""What a place in a sentence holds; a text may be a :class:`Sentence` of its own."""

_PLACE = re.compile(r"\{([a-z]\w*)\}")
_LARGEST = (1 << 53) - 1
# What Python has for bytes of a file's name that are no text.
_NO_TEXT = re.compile("[\ud800-\udfff]")


def text_only(words: str) -> str:
    """Words with paths in them, as they can be sent and printed: what is no text in a file's name becomes U+FFFD."""
    return _NO_TEXT.sub("\ufffd", words)


class Sentence(str):
    """A sentence for people: its English text, and what other languages need to say the same.

    ``Sentence("{count} jobs are waiting.", count=8)`` is the text ``8 jobs are waiting.``, and a str in every respect.
    Its ``template`` is the id by which catalogues translate it, as gettext's msgid; its ``values`` are what the places
    hold: texts, numbers, or sentences, which are translated in their turn. A text without values is its own template.
    Braces are never escaped: only a place whose name has a value is filled.

    Values that no place names are left out. What is no Value, no finite number or beyond 53 bits becomes its ``str()``.
    """

    __slots__ = ("_template", "_values")
    _template: str
    _values: Mapping[str, Value]

    def __new__(cls, template: str, /, **values: object) -> Sentence:
        if isinstance(template, Sentence):
            return template
        template = text_only(template)
        kept = {name: _value(values[name]) for name in _PLACE.findall(template) if name in values}
        return cls.received(template, kept, _filled(template, kept))

    @classmethod
    def received(cls, template: str, values: Mapping[str, Value], text: str) -> Sentence:
        """A sentence whose text has been made already, by whoever sent it."""
        sentence = super().__new__(cls, text)
        sentence._template = template
        sentence._values = MappingProxyType(dict(values))
        return sentence

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Sentence:
        """The sentence that :meth:`plain` was made from."""
        values = {
            name: cls.of(value) if isinstance(value, Mapping) else value for name, value in plain["values"].items()
        }
        return cls.received(plain["id"], values, plain["text"])

    @property
    def template(self) -> str:
        return self._template

    @property
    def values(self) -> Mapping[str, Value]:
        return self._values

    @property
    def text(self) -> str:
        return str.__str__(self)

    def plain(self) -> dict[str, Any]:
        """The sentence for JSON and the like: ``id`` (its template), ``values`` and ``text``."""
        values = {name: value.plain() if isinstance(value, Sentence) else value for name, value in self.values.items()}
        return {"id": self.template, "values": values, "text": self.text}

    def translated(self, translate: Callable[[str], str]) -> str:
        """The sentence in another language. ``translate`` gives a template's translation, and what it does not know as
        it is.
        """
        if not self:
            return ""
        found = translate(self.template)
        values = {
            name: value.translated(translate) if isinstance(value, Sentence) else value
            for name, value in self.values.items()
        }
        return self.text if found == self.template and values == self.values else _filled(found, values)

    def __reduce__(self) -> tuple[Any, ...]:
        return Sentence.received, (self.template, dict(self.values), self.text)


def _value(value: object) -> Value:
    if isinstance(value, Sentence):
        return value
    # Numbers that every client can hold; JavaScript's are doubles.
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _LARGEST:
        return value
    return text_only(str(value))


def _filled(template: str, values: Mapping[str, Value]) -> str:
    return _PLACE.sub(lambda place: str(values.get(place[1], place[0])), template)


class PaintbridgeError(Exception):
    """Base of all errors that are told to people.

    Args:
        message: what happened, and what it means for the artist; a template, if it has places.
        hint: what to do; likewise. It may be empty.
        values: what the places in both hold.

    ``code`` is for programs. Those of :data:`bridge.protocol.errors.CODES` cross the wire as they are. Exception text
    of libraries never goes into a sentence.
    """

    code: str = "internal"

    def __init__(self, message: str, hint: str = "", **values: object) -> None:
        self.message = Sentence(message, **values)
        self.hint = Sentence(hint, **values)
        super().__init__(f"{self.message} {self.hint}".strip())

    @property
    def values(self) -> Mapping[str, Value]:
        """What was filled in, by the places' names."""
        return {**self.hint.values, **self.message.values}

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.args, self.__dict__)


def _restored(cls: type[PaintbridgeError], args: tuple[Any, ...], state: Mapping[str, Any]) -> PaintbridgeError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error
