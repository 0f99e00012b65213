"""A job's two prompts as one picture is painted with them."""

from dataclasses import dataclass

from .choices import choose
from .errors import PromptUnreadable
from .loras import NamedLora, take_loras
from .weights import Fragment, Text, read_weights

__all__ = ["Fragment", "NamedLora", "Text", "Wording", "read", "read_text"]


@dataclass(frozen=True)
class Wording:
    """What one picture is asked for. Equal for pictures that differ in nothing but their seed.

    `chosen` and `chosen_negative` are the prompts as they were written, their choices made. `wanted` and `unwanted` are
    these without their LoRAs, for the text encoders: `read_text` tells their weights.
    """

    chosen: str
    chosen_negative: str
    wanted: str
    unwanted: str
    loras: tuple[NamedLora, ...]
    hints: tuple[str, ...]


def read(prompt: str, negative_prompt: str, seed: int) -> Wording:
    """Both prompts as the picture of that seed is painted with them.

    Raises PromptUnreadable when they cannot be meant as they are written.
    """
    chosen = choose(prompt, seed, stream="prompt")
    chosen_negative = choose(negative_prompt, seed, stream="negative prompt")
    wanted, loras = take_loras(chosen)
    unwanted, negative_loras = take_loras(chosen_negative)
    if negative_loras:
        raise PromptUnreadable(
            f"The negative prompt names the LoRA {negative_loras[0].name}, but a LoRA counts for the whole picture.",
            hint="Name it in the prompt; a strength below 0 turns it round.",
        )
    hints = dict.fromkeys((*read_weights(wanted)[1], *read_weights(unwanted)[1]))
    return Wording(chosen, chosen_negative, wanted, unwanted, loras, tuple(hints))


def read_text(text: str) -> Text:
    """The weights of a text without choices and LoRAs. Raises PromptUnreadable for weights beyond reason."""
    return read_weights(text)[0]
