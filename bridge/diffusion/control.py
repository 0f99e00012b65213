"""Guidance by another picture while a plane is denoised: a ControlNet, what it is shown, and when and where it counts.

Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch.nn.functional import interpolate

__all__ = ["Control", "acting", "acts", "residuals"]


@dataclass(frozen=True)
class Control:
    """`picture` (1, 3, h, w), 0..1, and `mask` (1, 1, h, w), where it counts and how much, are of the plane's pixels,
    not its latents; no mask: everywhere. It counts in the steps that lie whole within `start`..`end`, shares of all.
    """

    net: Any
    picture: torch.Tensor
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mask: torch.Tensor | None = None

    def cut(self, rows: slice, columns: slice) -> "Control":
        """That for a part of the plane, in pixels."""
        mask = None if self.mask is None else self.mask[..., rows, columns]
        return replace(self, picture=self.picture[..., rows, columns], mask=mask)


class _Ranged(Protocol):
    @property
    def start(self) -> float: ...

    @property
    def end(self) -> float: ...


def acts(ranged: _Ranged, step: int, steps: int) -> bool:
    """Whether what has a range of the denoising counts in that one, from 0, of so many steps."""
    return ranged.start <= step / steps and (step + 1) / steps <= ranged.end


def acting(controls: Sequence[Control], step: int, steps: int) -> list[Control]:
    """Those of the controls that count in a step."""
    return [control for control in controls if control.strength > 0 and acts(control, step, steps)]


def residuals(
    controls: Sequence[Control], latents: torch.Tensor, timestep: float | torch.Tensor, states: torch.Tensor, added: Any
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """What the controls, one at least, add to the UNet's skip connections and to its middle: each one's summed.

    `latents` (n, c, h, w) are what the UNet sees of the plane, without an inpainting UNet's further channels; `added`
    is what a family conditions on beside text, as diffusers takes it.
    """
    down: list[torch.Tensor] = []
    middle: torch.Tensor | None = None
    for control in controls:
        shown = control.picture.to(latents).expand(len(latents), -1, -1, -1)
        own_down, own_middle = control.net(
            latents,
            timestep,
            encoder_hidden_states=states,
            controlnet_cond=shown,
            conditioning_scale=control.strength,
            added_cond_kwargs=added,
            return_dict=False,
        )
        if control.mask is not None:
            own_down = [_where(control.mask, one) for one in own_down]
            own_middle = _where(control.mask, own_middle)
        down = [one + other for one, other in zip(down, own_down, strict=True)] if down else own_down
        middle = own_middle if middle is None else middle + own_middle
    assert middle is not None
    return down, middle


def _where(mask: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
    return residual * interpolate(mask.to(residual), size=residual.shape[-2:], mode="area")
