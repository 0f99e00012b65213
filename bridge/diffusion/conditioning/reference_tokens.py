"""References that a transformer attends to as further tokens of a picture, each at a time of its own."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch.nn.functional import interpolate

from ..model import Effect, ModelInputs

__all__ = ["ReferenceConditioner", "ReferenceLatents", "attention_bias", "seen_references"]


@dataclass(frozen=True)
class ReferenceLatents:
    """`latents` (1, c, h, w) of the reference of number `index`, from 0, among the pictures that the model is shown.

    `mask` (1, 1, h, w) has the pixels of what is denoised.
    """

    latents: torch.Tensor
    index: int
    strength: float = 1.0
    mask: torch.Tensor | None = None

    def weighted(self, strength: float, mask: torch.Tensor | None) -> "ReferenceLatents":
        """As `Effect.weighted`. The weights of attention to it are multiplied by the strength, where the mask says."""
        return replace(self, strength=self.strength * strength, mask=mask)


@dataclass(frozen=True)
class ReferenceConditioner:
    """A reference that is the same for every part of a plane."""

    latents: torch.Tensor
    index: int

    def crop(self, rows: slice, columns: slice) -> "ReferenceConditioner":  # noqa: ARG002
        """As `Conditioner.crop`."""
        return self

    def apply(self, inputs: ModelInputs, added: Mapping[str, torch.Tensor]) -> ReferenceLatents:  # noqa: ARG002
        """As `Conditioner.apply`."""
        return ReferenceLatents(self.latents, self.index)


def seen_references(effects: Sequence[Effect]) -> tuple[ReferenceLatents, ...]:
    """Those that are seen anywhere. Raises TypeError for an effect of another form."""
    seen = []
    for effect in effects:
        if not isinstance(effect, ReferenceLatents):
            raise TypeError(f"a transformer takes references as latents, not {type(effect).__name__}")
        if effect.strength > 0 and (effect.mask is None or bool((effect.mask > 0).any())):
            seen.append(effect)
    return tuple(seen)


def attention_bias(
    references: Sequence[ReferenceLatents], *, words: int, grid: tuple[int, int], before: int
) -> torch.Tensor | None:
    """What is added to the logits of attention, (1, 1, tokens, tokens), float32; None: nothing.

    The tokens are `words`, those of a picture of `grid` rows and columns, `before` others, and the references' own.
    A reference's weight in the attention is multiplied by its strength; for the picture's tokens also by its mask.
    """
    if all(one.strength == 1 and one.mask is None for one in references):
        return None
    counts = [one.latents[0, 0].numel() for one in references]
    pictured = slice(words, words + grid[0] * grid[1])
    start = pictured.stop + before
    bias = torch.zeros((start + sum(counts),) * 2)
    for one, count in zip(references, counts, strict=True):
        own = slice(start, start + count)
        bias[:, own] = math.log(one.strength)
        if one.mask is not None:
            area = interpolate(one.mask.float().cpu(), size=grid, mode="area").flatten()
            bias[pictured, own] += torch.log(area)[:, None]
        bias[own, own] = 0
        start += count
    return bias[None, None]
