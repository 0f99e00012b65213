"""xinsir 2024, "ControlNet++", https://github.com/xinsir6/ControlNetPlus: one network for many kinds of pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import diffusers
import torch
from torch import nn

from ...models import ControlNet, control_kind
from ..model import Effect, LatentModel, ModelInputs
from ..regional_attention import regional_cross_attention
from ..weights import load_controlnet
from .controlnet import without_masked
from .guide_input import GuideInput
from .residuals import Residuals

__all__ = ["ControlNetUnionConditioner", "ControlNetUnionLoader"]

# The number of pictures without what is repainted ("repaint") among the kinds that it knows.
_REPAINT = 7


@dataclass(frozen=True)
class ControlNetUnionConditioner:
    """A ControlNet `net`, shown `picture` (1, 3, h, w), 0..1, of the plane's pixels; `number` says of which kind."""

    net: Any
    picture: torch.Tensor
    number: int

    def crop(self, rows: slice, columns: slice) -> "ControlNetUnionConditioner":
        """As `Conditioner.crop`."""
        return replace(self, picture=self.picture[..., rows, columns])

    def apply(self, inputs: ModelInputs, added: Mapping[str, torch.Tensor]) -> Residuals:
        """As `Conditioner.apply`. It sees the latents without an inpainting UNet's further channels."""
        latents = inputs.latents
        kinds = torch.zeros((len(latents), self.net.config.num_control_type)).to(latents)
        kinds[:, self.number] = 1
        with regional_cross_attention(self.net, inputs.regions):
            down, middle = self.net(
                latents,
                inputs.timestep,
                encoder_hidden_states=inputs.prompt.embeds,
                controlnet_cond=[self.picture.to(latents).expand(len(latents), -1, -1, -1)],
                control_type=kinds,
                control_type_idx=[self.number],
                added_cond_kwargs=added or None,
                return_dict=False,
            )
        return Residuals(tuple(down), middle)


class ControlNetUnionLoader:
    """Loads ControlNets for many kinds of pictures (`GuideLoader`)."""

    effect: type[Effect] = Residuals

    def load(self, files: ControlNet, dtype: torch.dtype) -> nn.Module:
        """Raises CheckpointUnreadable where its weights do not fit its config, or are not all there."""
        kind: Any = diffusers.ControlNetUnionModel
        net: nn.Module = load_controlnet(files, kind, dtype, shipped="controlnet_union")
        return net

    def prepare(self, network: Any, shown: GuideInput, model: LatentModel) -> ControlNetUnionConditioner:  # noqa: ARG002
        """As `GuideLoader.prepare`. What is repainted is black. Raises KeyError for a kind that has no number there."""
        number = _REPAINT if shown.kind is None else control_kind(shown.kind).union_number
        if number is None:
            raise KeyError(shown.kind)
        return ControlNetUnionConditioner(network, without_masked(shown, 0.0), number)
