"""Prompts as the text encoders' states: long ones in windows, weighted words without a shift of the whole.

A window is what the encoder was trained to read at once, with its marks of beginning and end. The states of several
stand one after the other, as in AUTOMATIC1111's WebUI; each begins the encoder's positions anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ...models.families import TextPart
from ...prompts import Fragment, Text
from ..finite import ModelStep, check_finite
from ..model import LatentModel, PromptEmbeds
from ..weights import Weights

__all__ = ["ClipTextEncoder", "clip_tokenizer", "encode_texts"]

# CLIP's own length. Encoders that read less are of checkpoints that never saw a second window, nor longer states.
_CLIP_PLACES = 77
# How far back from its end a window may part at a comma, as in the WebUI, or else between words.
_BACK = 20
_COMMA = ",</w>"
_END_OF_WORD = "</w>"


@dataclass(frozen=True)
class ClipTextEncoder:
    """A text encoder and its tokenizer; `layers_skipped` is how many layers before its family's it is read at."""

    part: TextPart
    tokenizer: Any
    module: Any
    device: torch.device
    layers_skipped: int = 0

    @property
    def places(self) -> int:
        """Tokens that it reads at once, its marks of beginning and end among them."""
        return int(min(self.tokenizer.model_max_length, self.module.config.max_position_embeddings))


def clip_tokenizer(weights: Weights, text: TextPart) -> Any:
    """The text encoder's tokenizer; CLIP's whole vocabulary where the checkpoint brings none."""
    shipped = {"model_max_length": _CLIP_PLACES, "pad_token": text.pad} if weights.is_shipped(text.tokenizer) else {}
    return weights.tokenizer(text, **shipped)


@dataclass(frozen=True)
class _Token:
    number: int
    weight: float
    written: str


@torch.no_grad()
def encode_texts(
    encoders: Sequence[ClipTextEncoder], texts: Sequence[Text], model: LatentModel
) -> list[tuple[PromptEmbeds, str]]:
    """What the encoders, side by side, make of each text, batch 1, and the words that did not fit.

    All are as long as the longest: empty windows fill up the others, so that one batch can hold them. Raises
    ModelNotFinite, which names the model.
    """
    windows = [[_Windows.of(encoder, text) for text in texts] for encoder in encoders]
    count = max(len(one.tokens) for of_encoder in windows for one in of_encoder)
    encoded = []
    for index in range(len(texts)):
        found = [
            _encode(encoder, of_encoder[index], count) for encoder, of_encoder in zip(encoders, windows, strict=True)
        ]
        pooled = [one for _, one in found if one is not None]
        embeds = PromptEmbeds(torch.cat([one for one, _ in found], dim=-1), pooled[0] if pooled else None)
        check_finite(embeds.embeds, ModelStep.TEXT_ENCODER, model)
        encoded.append((embeds, windows[0][index].lost))
    return encoded


@dataclass(frozen=True)
class _Windows:
    """A text's tokens, without marks, by window; at least one. `lost` are the words that no window holds."""

    tokens: tuple[tuple[_Token, ...], ...]
    lost: str

    @classmethod
    def of(cls, encoder: ClipTextEncoder, text: Text) -> "_Windows":
        places, tokenizer = encoder.places, encoder.tokenizer
        packed = [window for passage in text for window in _packed(_tokens(tokenizer, passage), places - 2)]
        packed = packed or [()]
        if places >= _CLIP_PLACES:
            return cls(tuple(packed), "")
        whole = [token for window in packed for token in window]
        kept, lost = whole[: places - 2], [token.number for token in whole[places - 2 :]]
        return cls((tuple(kept),), tokenizer.decode(lost, skip_special_tokens=True).strip())


def _tokens(tokenizer: Any, passage: Sequence[Fragment]) -> list[_Token]:
    tokens = []
    for fragment in passage:
        numbers = tokenizer(fragment.text, truncation=False, add_special_tokens=False, verbose=False).input_ids
        written = tokenizer.convert_ids_to_tokens(numbers)
        tokens += [_Token(number, fragment.weight, word) for number, word in zip(numbers, written, strict=True)]
    return tokens


def _packed(tokens: list[_Token], room: int) -> Iterator[tuple[_Token, ...]]:
    """The tokens in windows of at most `room`: parted after a comma near the end, or else after a word."""
    while len(tokens) > room:
        near = range(room, max(0, room - _BACK), -1)
        after_comma = (end for end in near if tokens[end - 1].written == _COMMA)
        after_word = (end for end in near if tokens[end - 1].written.endswith(_END_OF_WORD))
        end = next(after_comma, None) or next(after_word, room)
        yield tuple(tokens[:end])
        tokens = tokens[end:]
    yield tuple(tokens)


def _encode(encoder: ClipTextEncoder, windows: _Windows, count: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The states of all windows, up to `count` of them, and the pooled state of the first."""
    encoded = [_encode_window(encoder, window) for window in windows.tokens]
    if len(encoded) < count:
        encoded += [_encode_window(encoder, ())] * (count - len(encoded))
    return torch.cat([states for states, _ in encoded], dim=1), encoded[0][1]


def _encode_window(encoder: ClipTextEncoder, tokens: Sequence[_Token]) -> tuple[torch.Tensor, torch.Tensor | None]:
    tokenizer, module, part = encoder.tokenizer, encoder.module, encoder.part
    padding = encoder.places - 2 - len(tokens)
    numbers = [
        tokenizer.bos_token_id,
        *(token.number for token in tokens),
        tokenizer.eos_token_id,
        *[tokenizer.pad_token_id] * padding,
    ]
    skipped = encoder.layers_skipped
    hidden = part.penultimate or skipped > 0
    output = module(torch.tensor([numbers], device=encoder.device), output_hidden_states=hidden)
    if part.penultimate:
        states = output.hidden_states[-2 - skipped]
    elif skipped:
        # As the WebUI and diffusers do: the final norm follows whatever layer is read.
        states = getattr(module, "text_model", module).final_layer_norm(output.hidden_states[-1 - skipped])
    else:
        states = output.last_hidden_state
    weights = [1.0, *(token.weight for token in tokens), 1.0, *[1.0] * padding]
    return _weighted(states, weights), output.text_embeds if part.pooled else None


def _weighted(states: torch.Tensor, weights: Sequence[float]) -> torch.Tensor:
    """Each token's states times its weight, the mean of all of them as before.

    The WebUI's emphasis ("Original"), with one change: it brings the mean back by a factor, which goes astray where the
    mean is close to 0, as with SDXL, for which it offers to leave that out. Here the difference is added.
    """
    if all(weight == 1 for weight in weights):
        return states
    whole = states.float()
    changed = whole * torch.tensor(weights, device=states.device)[None, :, None]
    return (changed + (whole.mean() - changed.mean())).to(states.dtype)
