"""What the artist asks for, as the tensors that condition the denoiser."""

from dataclasses import dataclass

from ..prompts import read_text
from .architecture import hears_guidance
from .components import Components
from .text import TextStates, encode_texts

__all__ = ["Conditioning", "encode_prompt"]


@dataclass(frozen=True)
class Conditioning:
    """`wanted` and `unwanted` are both prompts' states, of batch 1 and equally long; `hints` are for the artist."""

    wanted: TextStates
    unwanted: TextStates
    hints: tuple[str, ...]


def encode_prompt(components: Components, prompt: str, negative_prompt: str) -> Conditioning:
    """Encodes both prompts, whose words may have weights. What does not fit the text encoders is left out, and a hint
    says which words.
    """
    texts = [read_text(prompt), read_text(negative_prompt)]
    (wanted, lost), (unwanted, negative_lost) = encode_texts(components, texts)
    if components.checkpoint.zero_empty and not negative_prompt.strip():
        unwanted = wanted.zeros()
    hints = []
    if lost:
        hints.append(f'The prompt is too long for this checkpoint; it left out "{lost}".')
    if negative_lost:
        hints.append(f'The negative prompt is too long for this checkpoint; it left out "{negative_lost}".')
    if negative_prompt.strip() and hears_guidance(components):
        hints.append("This checkpoint takes no negative prompt, so it had no effect.")
    return Conditioning(wanted, unwanted, tuple(hints))
