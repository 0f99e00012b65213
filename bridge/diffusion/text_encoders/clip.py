"""Prompts as the text encoders' states: long ones in windows, weighted words without a shift of the whole.

A window is what the encoder was trained to read at once, with its marks of beginning and end. The states of several
stand one after the other, as in AUTOMATIC1111's WebUI; each begins the encoder's positions anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ...models.families import TextPart
from ...prompts import Fragment, Text, split_at_embeddings
from ..finite import ModelStep, check_finite
from ..model import LatentModel, PromptEmbeds
from ..weights import Weights
from .embeddings import replaced_embeddings

__all__ = ["ClipTextEncoder", "clip_tokenizer", "encode_texts"]

# CLIP's own length. Encoders that read less are of checkpoints that never saw a second window, nor longer states.
_CLIP_PLACES = 77
# How far back from its end a window may part at a comma, as in the WebUI, or else between words.
_BACK = 20
_COMMA = ",</w>"
_END_OF_WORD = "</w>"


@dataclass(frozen=True)
class ClipTextEncoder:
    """A text encoder and its tokenizer; `layers_skipped` is how many layers before its family's it is read at.

    `embeddings` are the textual inversions that prompts may name: vectors (n, width), by name.
    """

    part: TextPart
    tokenizer: Any
    module: Any
    device: torch.device
    layers_skipped: int = 0
    embeddings: Mapping[str, torch.Tensor] = field(default_factory=dict)

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
    """A token, or one `vector` (width,) of a textual inversion that takes the place of one; all but its first are
    `joined` to the one before.
    """

    number: int
    weight: float
    written: str
    vector: torch.Tensor | None = None
    joined: bool = False


# The token that is given in a vector's place. It ends nothing, and fills nothing up.
_STAND_IN = 1


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
        packed = [window for passage in text for window in _packed(_tokens(encoder, passage), places - 2)]
        packed = packed or [()]
        if places >= _CLIP_PLACES:
            return cls(tuple(packed), "")
        whole = [token for window in packed for token in window]
        kept, lost = whole[: places - 2], [one.number for one in whole[places - 2 :] if one.vector is None]
        return cls((tuple(kept),), tokenizer.decode(lost, skip_special_tokens=True).strip())


def _tokens(encoder: ClipTextEncoder, passage: Sequence[Fragment]) -> list[_Token]:
    tokenizer = encoder.tokenizer
    tokens: list[_Token] = []
    for fragment in passage:
        for piece, name in split_at_embeddings(fragment.text, encoder.embeddings.keys()):
            if name is not None:
                tokens += _vectors(encoder.embeddings[name], fragment.weight)
                continue
            numbers = tokenizer(piece, truncation=False, add_special_tokens=False, verbose=False).input_ids
            written = tokenizer.convert_ids_to_tokens(numbers)
            tokens += [_Token(number, fragment.weight, word) for number, word in zip(numbers, written, strict=True)]
    return tokens


def _vectors(vectors: torch.Tensor, weight: float) -> Iterator[_Token]:
    for index, vector in enumerate(vectors):
        yield _Token(_STAND_IN, weight, _END_OF_WORD, vector, joined=index > 0)


def _packed(tokens: list[_Token], room: int) -> Iterator[tuple[_Token, ...]]:
    """The tokens in windows of at most `room`: parted after a comma near the end, or else after a word.

    What is joined goes into the next window whole, as in the WebUI, unless none holds it.
    """
    while len(tokens) > room:
        near = range(room, max(0, room - _BACK), -1)
        after_comma = (end for end in near if tokens[end - 1].written == _COMMA)
        after_word = (end for end in near if tokens[end - 1].written.endswith(_END_OF_WORD))
        end = next(after_comma, None) or next(after_word, room)
        apart = next((at for at in range(end, 0, -1) if not tokens[at].joined), end)
        yield tuple(tokens[:apart])
        tokens = tokens[apart:]
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
    vectors = [None, *(token.vector for token in tokens)]
    with replaced_embeddings(module, vectors):
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
