"""Prompts as the text encoders' states: long ones in windows, weighted words without a shift of the whole.

A window is what the encoder was trained to read at once, with its marks of beginning and end. The states of several
stand one after the other, as in AUTOMATIC1111's WebUI; each begins the encoder's positions anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ..models.family import TextPart
from ..prompts import Fragment, Text
from .finite import ModelStep, check_finite

if TYPE_CHECKING:
    from .components import Components

__all__ = ["TextStates", "encode_texts"]

# CLIP's own length. Encoders that read less are of checkpoints that never saw a second window, nor longer states.
_CLIP_PLACES = 77
# How far back from its end a window may part at a comma, as in the WebUI, or else between words.
_BACK = 20
_COMMA = ",</w>"
_END_OF_WORD = "</w>"


@dataclass(frozen=True)
class TextStates:
    """Text as the denoiser hears it: `states` (n, tokens, width), and `pooled` (n, width) where the family has it."""

    states: torch.Tensor
    pooled: torch.Tensor | None = None

    def repeated(self, count: int) -> "TextStates":
        """A batch of one as a batch of `count`."""
        pooled = None if self.pooled is None else self.pooled.expand(count, -1)
        return TextStates(self.states.expand(count, -1, -1), pooled)

    def followed_by(self, other: "TextStates") -> "TextStates":
        """Both batches as one."""
        pooled = None if self.pooled is None or other.pooled is None else torch.cat([self.pooled, other.pooled])
        return TextStates(torch.cat([self.states, other.states]), pooled)

    def zeros(self) -> "TextStates":
        """Zeros of the same shapes."""
        pooled = None if self.pooled is None else torch.zeros_like(self.pooled)
        return TextStates(torch.zeros_like(self.states), pooled)


@dataclass(frozen=True)
class _Token:
    number: int
    weight: float
    written: str


@torch.no_grad()
def encode_texts(components: "Components", texts: Sequence[Text]) -> list[tuple[TextStates, str]]:
    """The states of each text, batch 1, and the words that did not fit.

    All are as long as the longest: empty windows fill up the others, so that one batch can hold them. Raises
    ModelNotFinite.
    """
    parts = components.checkpoint.family.texts
    windows = {part: [_Windows.of(components, part, text) for text in texts] for part in parts}
    count = max(len(one.tokens) for of_part in windows.values() for one in of_part)
    encoded = []
    for index in range(len(texts)):
        said = [_encode(components, part, windows[part][index], count) for part in parts]
        pooled = [one for _, one in said if one is not None]
        states = TextStates(torch.cat([one for one, _ in said], dim=-1), pooled[0] if pooled else None)
        check_finite(states.states, ModelStep.TEXT_ENCODER, components)
        encoded.append((states, windows[parts[0]][index].lost))
    return encoded


@dataclass(frozen=True)
class _Windows:
    """A text's tokens, without marks, by window; at least one. `lost` are the words that no window holds."""

    tokens: tuple[tuple[_Token, ...], ...]
    lost: str

    @classmethod
    def of(cls, components: "Components", part: TextPart, text: Text) -> "_Windows":
        tokenizer = getattr(components, part.tokenizer)
        places = _places(components, part)
        packed = [window for passage in text for window in _packed(_tokens(tokenizer, passage), places - 2)]
        packed = packed or [()]
        if places >= _CLIP_PLACES:
            return cls(tuple(packed), "")
        whole = [token for window in packed for token in window]
        kept, lost = whole[: places - 2], [token.number for token in whole[places - 2 :]]
        return cls((tuple(kept),), tokenizer.decode(lost, skip_special_tokens=True).strip())


def _places(components: "Components", part: TextPart) -> int:
    tokenizer, text_encoder = getattr(components, part.tokenizer), getattr(components, part.encoder)
    return int(min(tokenizer.model_max_length, text_encoder.config.max_position_embeddings))


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


def _encode(
    components: "Components", part: TextPart, windows: _Windows, count: int
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The states of all windows, up to `count` of them, and the pooled state of the first."""
    encoded = [_encode_window(components, part, window) for window in windows.tokens]
    if len(encoded) < count:
        encoded += [_encode_window(components, part, ())] * (count - len(encoded))
    return torch.cat([states for states, _ in encoded], dim=1), encoded[0][1]


def _encode_window(
    components: "Components", part: TextPart, tokens: Sequence[_Token]
) -> tuple[torch.Tensor, torch.Tensor | None]:
    tokenizer, text_encoder = getattr(components, part.tokenizer), getattr(components, part.encoder)
    padding = _places(components, part) - 2 - len(tokens)
    numbers = [
        tokenizer.bos_token_id,
        *(token.number for token in tokens),
        tokenizer.eos_token_id,
        *[tokenizer.pad_token_id] * padding,
    ]
    device = components.device.torch_device
    skipped = components.checkpoint.layers_skipped
    hidden = part.penultimate or skipped > 0
    said = text_encoder(torch.tensor([numbers], device=device), output_hidden_states=hidden)
    if part.penultimate:
        states = said.hidden_states[-2 - skipped]
    elif skipped:
        # As the WebUI and diffusers do: the final norm follows whatever layer is read.
        states = getattr(text_encoder, "text_model", text_encoder).final_layer_norm(said.hidden_states[-1 - skipped])
    else:
        states = said.last_hidden_state
    weights = [1.0, *(token.weight for token in tokens), 1.0, *[1.0] * padding]
    return _weighted(states, weights), said.text_embeds if part.pooled else None


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
