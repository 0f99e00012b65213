"""What models of a transformer and a KL autoencoder have in common, whatever their tokens are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from ...models import Checkpoint
from ..autoencoder import decode_latents, encode_picture, picture_of
from ..device import Device
from ..finite import ModelStep, check_finite
from ..lora import Adapters
from ..model import WeightedLora, pooled_mask

__all__ = ["TransformerModel"]


@dataclass(frozen=True, kw_only=True)
class TransformerModel:
    """A part of `LatentModel`, for latents that are the VAE's own, shifted and scaled by its config. Those of other
    latents override `_latents` and `_pixels`.

    `adapters` are the LoRAs in memory, `loras` those that are set until the cache is asked for the checkpoint again.
    """

    checkpoint: Checkpoint
    device: Device
    transformer: Any
    vae: Any
    latent_to_rgb: torch.Tensor
    adapters: Adapters
    loras: tuple[WeightedLora, ...] = ()

    @property
    def latent_channels(self) -> int:
        """As `LatentModel.latent_channels`."""
        return int(self.vae.config.latent_channels)

    @property
    def pixels_per_latent(self) -> int:
        """As `LatentModel.pixels_per_latent`."""
        return self.checkpoint.family.pixels_per_latent

    @property
    def guidance_embeds(self) -> bool:
        """It is asked with and without the prompt."""
        return False

    @property
    def inner_blocks(self) -> Sequence[nn.Module]:
        """None that are known to be spared without harm."""
        return ()

    def configured(self, checkpoint: Checkpoint, loras: tuple[WeightedLora, ...], *, check: Callable[[], None]) -> Self:
        """As `LatentModel.configured`."""
        self.adapters.set_adapters(loras, check=check)
        return replace(self, checkpoint=checkpoint, loras=tuple(one for one in loras if one.strength))

    def encode(self, rgb: np.ndarray) -> torch.Tensor:
        """As `LatentModel.encode`."""
        latents = self._latents(rgb)
        check_finite(latents, ModelStep.VAE, self)
        return latents

    def decode(self, latents: torch.Tensor) -> np.ndarray:
        """As `LatentModel.decode`."""
        pixels = self._pixels(latents)[0]
        check_finite(pixels, ModelStep.VAE, self)
        return picture_of(pixels)

    def encode_mask(self, mask: np.ndarray) -> torch.Tensor:
        """One channel; what is masked in part of a latent's pixels is masked."""
        return pooled_mask(mask, self.pixels_per_latent)

    def _latents(self, rgb: np.ndarray) -> torch.Tensor:
        return encode_picture(self.vae, rgb, self.device.torch_device)

    def _pixels(self, latents: torch.Tensor) -> torch.Tensor:
        return decode_latents(self.vae, latents)
