"""Prompts that count in parts of a plane, as attention to each prompt's tokens from its own part alone.

A UNet's cross-attentions are asked once for each prompt, and summed by the prompts' shares of each place (Bar-Tal et
al. 2023, "MultiDiffusion", applied to attention). A transformer in which text and picture attend to each other sees the
tokens of all prompts side by side, and an additive mask, the logarithms of the shares (Chen et al. 2024, "Training-free
Regional Prompting for Diffusion Transformers").
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import nn
from torch.nn.functional import interpolate

from .prompt_embeds import PromptEmbeds, Regional, rest_of

__all__ = ["joint_attention_mask", "mixed_pooled", "regional_cross_attention", "shares_of_tokens"]

Regions = Sequence[Regional[PromptEmbeds]]


@contextmanager
def regional_cross_attention(network: nn.Module, regions: Regions) -> Iterator[None]:
    """Meanwhile the network's cross-attentions, to the common prompt, also attend to the regions' prompts.

    Levels of the network are the plane's size, halved and rounded up some times.
    """
    if not regions:
        yield
        return
    levels = _Levels(regions)

    def attended(module: Any, args: Any, options: Any, output: torch.Tensor) -> torch.Tensor:
        common, *shares = levels.shares(output)
        summed = common * output
        for region, share in zip(regions, shares, strict=True):
            states = region.prompt.embeds.to(output)
            summed = summed + share * module.forward(*args, **{**options, "encoder_hidden_states": states})
        return summed

    attentions = [one for one in network.modules() if isinstance(one, Attention) and one.is_cross_attention]
    handles = [one.register_forward_hook(attended, with_kwargs=True) for one in attentions]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Levels:
    """The shares at the sizes of a network's levels, each computed once."""

    def __init__(self, regions: Regions) -> None:
        self._planes = torch.cat([rest_of(regions), *(one.share for one in regions)])
        self._known: dict[int, list[torch.Tensor]] = {}

    def shares(self, like: torch.Tensor) -> list[torch.Tensor]:
        """For the common prompt, then each region, (1, tokens, 1), of the tokens of `like` (n, tokens, width)."""
        tokens = like.shape[1]
        if tokens not in self._known:
            planes = interpolate(self._planes, size=self._size(tokens), mode="area")
            self._known[tokens] = [one.flatten()[None, :, None].to(like) for one in planes]
        return self._known[tokens]

    def _size(self, tokens: int) -> tuple[int, int]:
        height, width = self._planes.shape[-2:]
        while height * width > tokens:
            height, width = -(-height // 2), -(-width // 2)
        if height * width != tokens:
            raise ValueError(f"no level of a plane of {tuple(self._planes.shape[-2:])} has {tokens} places")
        return height, width


def mixed_pooled(prompt: PromptEmbeds, regions: Regions) -> torch.Tensor | None:
    """The pooled states (n, width) of all prompts, mixed by the area of each: they count everywhere."""
    if not regions or prompt.pooled is None:
        return prompt.pooled
    mixed = prompt.pooled * rest_of(regions).mean().to(prompt.pooled)
    for one in regions:
        assert one.prompt.pooled is not None
        mixed = mixed + one.prompt.pooled * one.share.mean().to(mixed)
    return mixed


def shares_of_tokens(regions: Regions, grid: tuple[int, int]) -> torch.Tensor:
    """The shares of a picture's tokens, `grid` rows and columns of them: (prompts, tokens), the common prompt first."""
    planes = torch.cat([rest_of(regions), *(one.share for one in regions)])
    return interpolate(planes, size=grid, mode="area").flatten(1)


def joint_attention_mask(lengths: Sequence[int], shares: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """What is added to attention's logits, (1, 1, tokens, tokens): of all prompts' tokens, then the picture's.

    `lengths` are the prompts' tokens, `shares` (prompts, tokens) those of the picture's tokens. A prompt's tokens see
    each other and the picture's where it counts, and are seen there; the picture's tokens all see each other. Raises
    ValueError for another number of shares than of prompts.
    """
    if len(lengths) != len(shares):
        raise ValueError(f"{len(lengths)} prompts have {len(shares)} shares")
    text = sum(lengths)
    mask = torch.zeros((text + shares.shape[1],) * 2)
    mask[:text, :text] = float("-inf")
    begin = 0
    for length, logarithms in zip(lengths, shares.cpu().log(), strict=True):
        own = slice(begin, begin + length)
        mask[own, own] = 0
        mask[own, text:] = logarithms
        mask[text:, own] = logarithms[:, None]
        begin += length
    return mask[None, None].to(like)
