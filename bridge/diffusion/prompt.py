"""What the artist asks for, as the tensors that condition the UNet by cross-attention."""

from dataclasses import dataclass

import torch

from .components import Components

__all__ = ["Conditioning", "encode_prompt"]


@dataclass(frozen=True)
class Conditioning:
    """`wanted` and `unwanted` are the text encoder's last states, (1, tokens, width); `hints` are for the artist."""

    wanted: torch.Tensor
    unwanted: torch.Tensor
    hints: tuple[str, ...]


@torch.no_grad()
def encode_prompt(components: Components, prompt: str, negative_prompt: str) -> Conditioning:
    """Encodes both prompts. What does not fit the text encoder is left out, and a hint says which words."""
    wanted, lost = _encode(components, prompt)
    unwanted, negative_lost = _encode(components, negative_prompt)
    hints = []
    if lost:
        hints.append(f'The prompt is too long for this checkpoint; it left out "{lost}".')
    if negative_lost:
        hints.append(f'The negative prompt is too long for this checkpoint; it left out "{negative_lost}".')
    return Conditioning(wanted, unwanted, tuple(hints))


def _encode(components: Components, text: str) -> tuple[torch.Tensor, str]:
    tokenizer, text_encoder = components.tokenizer, components.text_encoder
    room = min(tokenizer.model_max_length, text_encoder.config.max_position_embeddings)
    tokens = tokenizer(text, padding="max_length", max_length=room, truncation=True, return_tensors="pt").input_ids
    whole = tokenizer(text, truncation=False, verbose=False).input_ids
    lost = tokenizer.decode(whole[room - 1 : -1], skip_special_tokens=True).strip() if len(whole) > room else ""
    return text_encoder(tokens.to(components.device.torch_device)).last_hidden_state, lost
