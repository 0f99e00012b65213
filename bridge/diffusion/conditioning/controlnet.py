"""Zhang et al. 2023, "Adding Conditional Control to Text-to-Image Diffusion Models"."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import diffusers
import torch
from torch import nn

from ...models import ControlNet
from ..model import Effect, LatentModel, ModelInputs
from ..regional_attention import regional_cross_attention
from ..weights import load_controlnet
from .guide_input import GuideInput
from .residuals import Residuals

__all__ = ["ControlNetConditioner", "ControlNetLoader", "without_masked"]


@dataclass(frozen=True)
class ControlNetConditioner:
    """A ControlNet `net`, shown `picture` (1, 3, h, w), 0..1, of the plane's pixels, not its latents."""

    net: Any
    picture: torch.Tensor

    def crop(self, rows: slice, columns: slice) -> "ControlNetConditioner":
        """As `Conditioner.crop`."""
        return replace(self, picture=self.picture[..., rows, columns])

    def apply(self, inputs: ModelInputs, added: Mapping[str, torch.Tensor]) -> Residuals:
        """As `Conditioner.apply`. It sees the latents without an inpainting UNet's further channels."""
        latents = inputs.latents
        with regional_cross_attention(self.net, inputs.regions):
            down, middle = self.net(
                latents,
                inputs.timestep,
                encoder_hidden_states=inputs.prompt.embeds,
                controlnet_cond=self.picture.to(latents).expand(len(latents), -1, -1, -1),
                added_cond_kwargs=added or None,
                return_dict=False,
            )
        return Residuals(tuple(down), middle)


class ControlNetLoader:
    """Loads ControlNets (`GuideLoader`)."""

    effect: type[Effect] = Residuals

    def load(self, files: ControlNet, dtype: torch.dtype) -> nn.Module:
        """Raises CheckpointUnreadable where its weights do not fit its config, or are not all there."""
        net: nn.Module = load_controlnet(files, diffusers.ControlNetModel, dtype)
        return net

    def prepare(self, network: Any, shown: GuideInput, model: LatentModel) -> ControlNetConditioner:  # noqa: ARG002
        """As `GuideLoader.prepare`. What is repainted is -1 for ControlNet 1.1, and black for those of SDXL."""
        blank = 0.0 if network.config.addition_embed_type == "text_time" else -1.0
        return ControlNetConditioner(network, without_masked(shown, blank))


def without_masked(shown: GuideInput, blank: float) -> torch.Tensor:
    """The picture, with that value where it is repainted."""
    return shown.picture if shown.mask is None else torch.where(shown.mask > 0, blank, shown.picture)
