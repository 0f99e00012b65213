"""Z-Image's ControlNets: blocks of a transformer beside its own, which look at latents of pictures.

Alibaba PAI 2025, "Z-Image-Turbo-Fun-Controlnet-Union", https://github.com/aigc-apps/VideoX-Fun. They are shown the
latents of a picture of any kind that they were trained on, and, if they have channels for that, where the picture stays
and the latents of that.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import diffusers
import numpy as np
import torch
from torch import nn
from torch.nn.functional import adaptive_max_pool2d

from ...models import ControlNet
from ..model import Effect, LatentModel, ModelInputs
from ..weights import load_controlnet
from .block_residuals import BlockResiduals
from .guide_input import GuideInput

__all__ = ["ZImageControlNetConditioner", "ZImageControlNetLoader"]

_LATENTS_PER_TOKEN = 2
# What it has of the transformer that it guides, in diffusers' class.
_BORROWED = (
    "t_scale", "t_embedder", "all_x_embedder", "cap_embedder", "rope_embedder", "noise_refiner", "context_refiner",
    "x_pad_token", "cap_pad_token",
)  # fmt: skip


@dataclass(frozen=True)
class ZImageControlNetConditioner:
    """A ControlNet `net` beside a model, shown `shown` of a plane, or of a part of it that begins at `origin`.

    `encoded` are the latents of the parts that were looked at already, which all parts of a plane share: tiles are
    looked at in each step.
    """

    net: Any
    model: LatentModel
    shown: GuideInput
    origin: tuple[int, int] = (0, 0)
    encoded: dict[tuple[int, ...], torch.Tensor] = field(default_factory=dict)

    def crop(self, rows: slice, columns: slice) -> "ZImageControlNetConditioner":
        """As `Conditioner.crop`."""
        mask = None if self.shown.mask is None else self.shown.mask[..., rows, columns]
        shown = replace(self.shown, picture=self.shown.picture[..., rows, columns], mask=mask)
        origin = (self.origin[0] + rows.start, self.origin[1] + columns.start)
        return replace(self, shown=shown, origin=origin)

    @torch.no_grad()
    def apply(self, inputs: ModelInputs, added: Mapping[str, torch.Tensor]) -> BlockResiduals:  # noqa: ARG002
        """As `Conditioner.apply`."""
        latents = inputs.latents
        context = self._context().to(latents)[:, None]
        with _borrowing(self.net, self.model.modules["transformer"]):
            residuals = self.net(
                list(latents[:, :, None].unbind()),
                torch.full((len(latents),), float(inputs.timestep), device=latents.device),
                inputs.prompt.unpadded(),
                [context] * len(latents),
            )
        grid = (latents.shape[2] // _LATENTS_PER_TOKEN, latents.shape[3] // _LATENTS_PER_TOKEN)
        return BlockResiduals(residuals, grid)

    def _context(self) -> torch.Tensor:
        """(channels, h, w): latents of the control picture, 1 where the picture stays, latents of the picture there."""
        key = (*self.origin, *self.shown.picture.shape[2:])
        if key not in self.encoded:
            self.encoded[key] = self._encode()
        return self.encoded[key]

    def _encode(self) -> torch.Tensor:
        picture, mask = self.shown.picture, self.shown.mask
        if mask is not None:
            # Grey, where it must not look.
            picture = torch.where(mask > 0, 0.5, picture)
        latents = self.model.encode(np.asarray(picture[0].permute(1, 2, 0)))[0].cpu()
        channels, height, width = latents.shape
        if self.net.config.control_in_dim == channels:
            return latents
        if mask is None:
            return torch.cat([latents, torch.zeros(1 + channels, height, width)])
        stays = 1 - adaptive_max_pool2d(mask, (height, width))[0]
        return torch.cat([torch.zeros_like(latents), stays, latents])


class ZImageControlNetLoader:
    """Loads ControlNets of Z-Image (`GuideLoader`)."""

    effect: type[Effect] = BlockResiduals

    def load(self, files: ControlNet, dtype: torch.dtype) -> nn.Module:
        """Raises CheckpointUnreadable where its weights do not fit its config, or are not all there."""
        net: nn.Module = load_controlnet(files, diffusers.ZImageControlNetModel, dtype)
        return net

    def prepare(self, network: Any, shown: GuideInput, model: LatentModel) -> ZImageControlNetConditioner:
        """As `GuideLoader.prepare`."""
        return ZImageControlNetConditioner(network, model, shown)


@contextmanager
def _borrowing(net: Any, transformer: Any) -> Iterator[None]:
    """The ControlNet with the modules that it uses of the transformer, which are not its own: it may guide another."""
    diffusers.ZImageControlNetModel.from_transformer(net, transformer)
    try:
        yield
    finally:
        for name in _BORROWED:
            setattr(net, name, None)
