"""What the artist asks for, as the tensors that condition the denoiser."""

from dataclasses import dataclass

import torch

from .architecture import TextStates, encode_text, hears_guidance
from .components import Components

__all__ = ["Conditioning", "encode_prompt"]


@dataclass(frozen=True)
class Conditioning:
    """`wanted` and `unwanted` are both prompts' states, of batch 1; `hints` are for the artist."""

    wanted: TextStates
    unwanted: TextStates
    hints: tuple[str, ...]


@torch.no_grad()
def encode_prompt(components: Components, prompt: str, negative_prompt: str) -> Conditioning:
    """Encodes both prompts. What does not fit the text encoders is left out, and a hint says which words."""
    wanted, lost = encode_text(components, prompt)
    unwanted, negative_lost = encode_text(components, negative_prompt)
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
