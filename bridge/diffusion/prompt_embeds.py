"""Prompts as the denoiser takes them, and where in a plane each of several counts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch

__all__ = ["EncodedPrompts", "PromptEmbeds", "Regional", "only_seen", "rest_of"]

# Shares below this are what float arithmetic leaves of 0.
_LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class PromptEmbeds:
    """Text as the denoiser takes it.

    `embeds` is (n, tokens, width); `pooled` (n, width) where the architecture has it; `mask` (n, tokens), False at
    padding, where the architecture must not see that.
    """

    embeds: torch.Tensor
    pooled: torch.Tensor | None = None
    mask: torch.Tensor | None = None

    def repeated(self, count: int) -> "PromptEmbeds":
        """A batch of one as a batch of `count`."""
        return PromptEmbeds(
            self.embeds.expand(count, -1, -1),
            None if self.pooled is None else self.pooled.expand(count, -1),
            None if self.mask is None else self.mask.expand(count, -1),
        )

    def unpadded(self) -> list[torch.Tensor]:
        """Each prompt's states without padding, (tokens, width), as some architectures take them."""
        if self.mask is None:
            return list(self.embeds.unbind())
        return [states[mask] for states, mask in zip(self.embeds, self.mask, strict=True)]

    def concatenated(self, other: "PromptEmbeds") -> "PromptEmbeds":
        """Both batches as one. Both have the same number of tokens."""
        return PromptEmbeds(
            torch.cat([self.embeds, other.embeds]),
            None if self.pooled is None or other.pooled is None else torch.cat([self.pooled, other.pooled]),
            None if self.mask is None or other.mask is None else torch.cat([self.mask, other.mask]),
        )

    def zeros(self) -> "PromptEmbeds":
        """Zeros of the same shapes, under the same mask."""
        pooled = None if self.pooled is None else torch.zeros_like(self.pooled)
        return PromptEmbeds(torch.zeros_like(self.embeds), pooled, self.mask)


@dataclass(frozen=True)
class EncodedPrompts:
    """The prompt and the negative prompt, each of batch 1 and both equally long; `hints` are for the artist."""

    positive: PromptEmbeds
    negative: PromptEmbeds
    hints: tuple[str, ...] = ()


Words = TypeVar("Words")


@dataclass(frozen=True)
class Regional(Generic[Words]):
    """A prompt that counts in a region: `share` (1, 1, h, w), 0..1, of each latent of the plane."""

    prompt: Words
    share: torch.Tensor

    def crop(self, rows: slice, columns: slice) -> "Regional[Words]":
        """That for a part of the plane, in latents."""
        return replace(self, share=self.share[..., rows, columns])


def rest_of(regions: Sequence[Regional[Words]]) -> torch.Tensor:
    """What some regions leave of each latent, (1, 1, h, w)."""
    summed = torch.stack([one.share for one in regions]).sum(dim=0)
    return (1 - summed).clamp(min=0)


def only_seen(common: Words, regions: Sequence[Regional[Words]]) -> tuple[Words, tuple[Regional[Words], ...]]:
    """The prompts that count somewhere in the plane. The first of them has what the others' regions leave."""
    seen = [one for one in regions if (one.share > _LEAST_SHARE).any()]
    if seen and not (rest_of(seen) > _LEAST_SHARE).any():
        return seen[0].prompt, tuple(seen[1:])
    return common, tuple(seen)
