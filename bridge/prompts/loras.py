"""`<lora:name:0.8>`: a LoRA by its name, and how much of it. `<lyco:...>` is read the same."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from .errors import PromptUnreadable, quoted

__all__ = ["LAYER_TAG", "LORA_TAGS", "STRONGEST", "NamedLora", "drop_tags", "take_loras", "take_tags"]

_MOST = 32

LORA_TAGS = ("lora", "lyco")
"""The kinds of tags that name a LoRA, in lower case."""

LAYER_TAG = "layer"
"""The kind of tags that name a reference (`.layers`)."""

STRONGEST = 10.0
"""Weights and strengths lie within this and its negative. What artists use lies below 2."""

# Things in angle brackets as the WebUI has them. A heart (<3) is none.
_TAG = re.compile(r"(?<!\\)<(\w+):([^<>]*)>")
_UNCLOSED = re.compile(r"(?<!\\)<(?:lora|lyco|hypernet|layer):[^>]*$", re.IGNORECASE)
_HOW = "Write <lora:name:0.8>, or <lora:name>."


@dataclass(frozen=True)
class NamedLora:
    """A LoRA as the prompt names it."""

    name: str
    strength: float


def take_loras(text: str) -> tuple[str, tuple[NamedLora, ...]]:
    """`text` without its LoRAs, and these, in the order in which they were written. One that is named twice counts with
    the sum. References stay in the text.

    Raises PromptUnreadable for a LoRA that is not written as it must be.
    """
    strengths: dict[str, float] = {}
    for kind, said in _TAG.findall(text):
        if kind.lower() == "hypernet":
            raise PromptUnreadable(
                "<{kind}:{said}> names a hypernetwork, and Paintbridge reads none.",
                hint="Take it out of the prompt.",
                kind=kind,
                said=said,
            )
        if kind.lower() == LAYER_TAG:
            continue
        if kind.lower() not in LORA_TAGS:
            raise PromptUnreadable(
                "<{kind}:{said}> is nothing that Paintbridge knows.", hint=_HOW, kind=kind, said=said
            )
        name, _, number = said.partition(":")
        # One letter with an accent may be spelled as two characters.
        name = unicodedata.normalize("NFC", name.strip())
        strengths[name] = _bounded(strengths.get(name, 0.0) + _strength(name, number, said), said)
    if len(strengths) > _MOST:
        raise PromptUnreadable(
            "The prompt names {count} LoRAs; {most} can be used at once.",
            hint="Leave some out.",
            count=len(strengths),
            most=_MOST,
        )
    rest = drop_tags(text, lambda kind, _: kind.lower() != LAYER_TAG)
    if unclosed := _UNCLOSED.search(rest):
        raise PromptUnreadable('"{said}" has no ">" at its end.', hint=_HOW, said=quoted(unclosed[0]))
    return rest, tuple(NamedLora(name, strength) for name, strength in strengths.items())


def take_tags(text: str) -> tuple[tuple[str, str], ...]:
    """The kind and the name of everything in angle brackets, as it is written, choices included: `("lora", "name")`."""
    return tuple((kind, said.partition(":")[0].strip()) for kind, said in _TAG.findall(text))


def drop_tags(text: str, unwanted: Callable[[str, str], bool]) -> str:
    """`text` without those of :func:`take_tags` that are unwanted, by kind and name."""
    return _TAG.sub(lambda tag: "" if unwanted(tag[1], tag[2].partition(":")[0].strip()) else tag[0], text)


def _strength(name: str, number: str, said: str) -> float:
    try:
        strength = float(number) if number.strip() else 1.0
    except ValueError:
        raise PromptUnreadable("The strength in <lora:{said}> is not a number.", hint=_HOW, said=said) from None
    if not name:
        raise PromptUnreadable("<lora:{said}> names no LoRA.", hint=_HOW, said=said)
    return strength


def _bounded(strength: float, said: str) -> float:
    # Negated, so that what is not a number fails too.
    if not abs(strength) <= STRONGEST:
        raise PromptUnreadable(
            "The strength in <lora:{said}> is beyond reason.",
            hint="Choose one between {least} and {most}; most LoRAs want 0.5 to 1.",
            said=said,
            least=f"{-STRONGEST:g}",
            most=f"{STRONGEST:g}",
        )
    return strength
