"""Prompts as a language model's hidden states: Qwen3, as FLUX.2 Klein and Z-Image read it.

The prompt is one turn of a user's, in Qwen3's chat template, after which the assistant would begin. Qwen Team 2025,
"Qwen3 Technical Report", section 4.3, has the two ways of beginning; diffusers' pipelines say which a family takes.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch.nn.functional import pad

from ...prompts import Text, read_text
from ..finite import ModelStep, check_finite
from ..model import EncodedPrompts, LatentModel, PromptEmbeds
from .hints import prompt_hints

__all__ = ["LanguageModel", "SentenceEncoder", "encode_prompts", "plain_words"]

_BEFORE = "<|im_start|>user\n"
_AFTER = "<|im_end|>\n<|im_start|>assistant\n"
# Thoughts that are over already.
_NO_THOUGHTS = "<think>\n\n</think>\n\n"


class SentenceEncoder(Protocol):
    """A text encoder that reads a prompt's plain words. `padded`: all of its states are equally long."""

    @property
    def padded(self) -> bool: ...

    def lost(self, words: str) -> str:
        """The words at the end that do not fit."""

    def states(self, words: str) -> torch.Tensor:
        """Their hidden states, (1, tokens, width)."""


@dataclass(frozen=True)
class LanguageModel:
    """A language model without its head (transformers' `Qwen3Model`), its tokenizer, and what is taken of its states.

    `layers` are those after which states are taken, 0: the tokens' embeddings; negative ones count from the end, -1:
    after the last layer and its norm. Several are put side by side. With `thinking` the assistant may think first,
    without it has thought. It reads `places` tokens, the template's among them. A `padded` prompt is filled up to
    that number, and the states of what fills it up are taken too.
    """

    tokenizer: Any
    module: Any
    device: torch.device
    layers: tuple[int, ...]
    thinking: bool
    padded: bool
    places: int = 512

    def template(self, words: str) -> str:
        """What the tokenizer is given for these words."""
        return f"{_BEFORE}{words}{_AFTER}{'' if self.thinking else _NO_THOUGHTS}"

    def lost(self, words: str) -> str:
        """The words at the end that do not fit into `places`."""
        offsets = self.tokenizer(self.template(words), return_offsets_mapping=True, verbose=False).offset_mapping
        if len(offsets) <= self.places:
            return ""
        return words[max(0, offsets[self.places][0] - len(_BEFORE)) :].strip()

    @torch.no_grad()
    def states(self, words: str) -> torch.Tensor:
        """Their hidden states, (1, tokens, width of all `layers`). They do not depend on any other prompt."""
        options = {"padding": "max_length"} if self.padded else {}
        tokens = self.tokenizer(
            self.template(words), truncation=True, max_length=self.places, return_tensors="pt", **options
        )
        output = self.module(
            input_ids=tokens.input_ids.to(self.device),
            attention_mask=tokens.attention_mask.to(self.device),
            output_hidden_states=True,
            use_cache=False,
        )
        return torch.cat([output.hidden_states[layer] for layer in self.layers], dim=-1)


def encode_prompts(
    encoder: SentenceEncoder, positive: str, negative: str, model: LatentModel, *, guided: bool
) -> EncodedPrompts:
    """As `LatentModel.encode_prompts`. Weights change nothing, and a hint says so.

    Prompts that are not padded by the encoder have a mask, and the shorter one zeros at its end.
    """
    texts = [read_text(positive), read_text(negative)] if guided else [read_text(positive)]
    words = [plain_words(text) for text in texts]
    states = [encoder.states(one) for one in words]
    for one in states:
        check_finite(one, ModelStep.TEXT_ENCODER, model)
    longest = max(one.shape[1] for one in states)
    embeds = [_filled_up(one, longest, masked=not encoder.padded) for one in states]
    lost = [encoder.lost(one) for one in words]
    hints = prompt_hints(
        lost[0],
        lost[-1] if guided else "",
        negative=negative,
        guidance_embeds=model.guidance_embeds,
        weights_ignored=any(_is_weighted(text) for text in texts),
    )
    return EncodedPrompts(embeds[0], embeds[-1], hints)


def plain_words(text: Text) -> str:
    """The text as a language model reads it: without weights, and each of its parts as a line."""
    parts = ["".join(fragment.text for fragment in passage) for passage in text]
    return parts[0] if len(parts) == 1 else "\n".join(part.strip() for part in parts)


def _is_weighted(text: Text) -> bool:
    return any(fragment.weight != 1 and fragment.text.strip() for passage in text for fragment in passage)


def _filled_up(states: torch.Tensor, places: int, *, masked: bool) -> PromptEmbeds:
    missing = places - states.shape[1]
    mask = torch.arange(places, device=states.device)[None] < states.shape[1]
    return PromptEmbeds(pad(states, (0, 0, 0, missing)), mask=mask if masked else None)
