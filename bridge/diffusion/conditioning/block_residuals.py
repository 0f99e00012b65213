"""What a ControlNet adds to a transformer: residuals after some of its blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch.nn.functional import interpolate, pad

from ..model import Effect

__all__ = ["BlockResiduals", "summed_block_residuals"]


@dataclass(frozen=True)
class BlockResiduals:
    """`after` (n, tokens, width) for blocks by their numbers, of tokens of which the picture's come first, row by row.

    `grid` is how many rows and columns of them there are.
    """

    after: Mapping[int, torch.Tensor]
    grid: tuple[int, int]

    def weighted(self, strength: float, mask: torch.Tensor | None) -> "BlockResiduals":
        """As `Effect.weighted`. Under a mask the text's tokens, which count everywhere, are left as they are."""
        weight = torch.tensor(strength)
        if mask is not None:
            weight = strength * interpolate(mask.float(), size=self.grid, mode="area").flatten()
        return replace(self, after={block: one * _as_long(weight, one) for block, one in self.after.items()})

    def __add__(self, other: "BlockResiduals") -> "BlockResiduals":
        both = {**self.after, **other.after}
        shared = self.after.keys() & other.after.keys()
        return replace(self, after={**both, **{block: self.after[block] + other.after[block] for block in shared}})


def summed_block_residuals(effects: Sequence[Effect]) -> Mapping[int, torch.Tensor] | None:
    """The sum of all effects; None where there are none. Raises TypeError for an effect of another form."""
    summed: BlockResiduals | None = None
    for effect in effects:
        if not isinstance(effect, BlockResiduals):
            raise TypeError(f"a transformer takes residuals of its blocks, not {type(effect).__name__}")
        summed = effect if summed is None else summed + effect
    return None if summed is None else summed.after


def _as_long(weight: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
    weight = weight.to(residual)
    if weight.dim() == 0:
        return weight
    return pad(weight, (0, residual.shape[1] - len(weight)))[:, None]
