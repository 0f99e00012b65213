"""What a ControlNet adds to a UNet: residuals of its skip connections and of its middle."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import interpolate

from ..model import Effect

__all__ = ["Residuals", "summed_residuals"]


@dataclass(frozen=True)
class Residuals:
    """`down` (n, c, h, w) for each skip connection, `middle` (n, c, h, w), as diffusers' UNets take them."""

    down: tuple[torch.Tensor, ...]
    middle: torch.Tensor

    def weighted(self, strength: float, mask: torch.Tensor | None) -> "Residuals":
        """As `Effect.weighted`."""
        return Residuals(
            tuple(_weighted(one, strength, mask) for one in self.down), _weighted(self.middle, strength, mask)
        )

    def __add__(self, other: "Residuals") -> "Residuals":
        down = tuple(one + another for one, another in zip(self.down, other.down, strict=True))
        return Residuals(down, self.middle + other.middle)


def summed_residuals(effects: Sequence[Effect]) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The sum of one effect at least. Raises TypeError for an effect of another form."""
    summed: Residuals | None = None
    for effect in effects:
        if not isinstance(effect, Residuals):
            raise TypeError(f"a UNet takes residuals, not {type(effect).__name__}")
        summed = effect if summed is None else summed + effect
    assert summed is not None
    return list(summed.down), summed.middle


def _weighted(residual: torch.Tensor, strength: float, mask: torch.Tensor | None) -> torch.Tensor:
    residual = residual * strength
    if mask is None:
        return residual
    return residual * interpolate(mask.to(residual), size=residual.shape[-2:], mode="area")
