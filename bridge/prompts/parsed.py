"""A job's two prompts as one picture is painted with them."""

from collections.abc import Sequence
from dataclasses import dataclass

from .choices import Options, draw
from .elsewhere import about_elsewhere
from .errors import PromptUnreadable
from .loras import NamedLora, take_loras
from .weights import Fragment, Text, read_weights

__all__ = ["Fragment", "NamedLora", "ParsedPrompt", "Text", "read", "read_text"]


@dataclass(frozen=True)
class ParsedPrompt:
    """What one picture is asked for. Equal for pictures that differ in nothing but their seed.

    `chosen` and `chosen_negative` are the prompts as they were written, their choices made and their wildcards drawn.
    `positive` and `negative` are these without their LoRAs, for the text encoders: `read_text` tells their weights.
    """

    chosen: str
    chosen_negative: str
    positive: str
    negative: str
    loras: tuple[NamedLora, ...]
    hints: tuple[str, ...]


def no_wildcards(name: str) -> Sequence[str]:
    """The options where there are no wildcards."""
    raise PromptUnreadable("There is no wildcard named {name}.", hint='Write "\\__" for text.', name=repr(name))


def read(prompt: str, negative_prompt: str, seed: int, options: Options = no_wildcards) -> ParsedPrompt:
    """Both prompts as the picture of that seed is painted with them. `options` gives those of wildcards.

    Raises PromptUnreadable when they cannot be meant as they are written; and what `options` raises.
    """
    drawn = draw(prompt, seed, stream="prompt", options=options)
    drawn_negative = draw(negative_prompt, seed, stream="negative prompt", options=options)
    chosen, chosen_negative = drawn.text, drawn_negative.text
    positive, loras = take_loras(chosen)
    negative, negative_loras = take_loras(chosen_negative)
    if negative_loras:
        raise PromptUnreadable(
            "The negative prompt names the LoRA {name}, but a LoRA counts for the whole picture.",
            hint="Name it in the prompt; a strength below 0 turns it round.",
            name=negative_loras[0].name,
        )
    hints = dict.fromkeys((*drawn.hints, *drawn_negative.hints))
    for text in (positive, negative):
        hints |= dict.fromkeys((*read_weights(text)[1], *about_elsewhere(text)))
    return ParsedPrompt(chosen, chosen_negative, positive, negative, loras, tuple(hints))


def read_region(prompt: str, negative_prompt: str, seed: int, options: Options = no_wildcards) -> ParsedPrompt:
    """As `read`, for prompts that count in a part of the picture.

    Raises PromptUnreadable where they name a LoRA, which counts for the whole picture; and as `read`.
    """
    parsed = read(prompt, negative_prompt, seed, options)
    if parsed.loras:
        raise PromptUnreadable(
            "A region's prompt names the LoRA {name}, but a LoRA counts for the whole picture.",
            hint="Name it in the prompt of the whole picture.",
            name=parsed.loras[0].name,
        )
    return parsed


def read_text(text: str) -> Text:
    """The weights of a text without choices and LoRAs. Raises PromptUnreadable for weights beyond reason."""
    return read_weights(text)[0]
