"""Pictures through a KL autoencoder (Rombach et al. 2022, section 3.1), at the scale that denoisers see latents at."""

from typing import Any

import numpy as np
import torch

__all__ = ["decode_latents", "decode_unscaled", "encode_picture", "encode_unscaled", "picture_of"]


def encode_picture(vae: Any, rgb: np.ndarray, device: torch.device) -> torch.Tensor:
    """A picture (h, w, 3), 0..1, as latents (1, c, h', w'), float32: the mode of the posterior, shifted and scaled."""
    return (encode_unscaled(vae, rgb, device) - _shift(vae)) * float(vae.config.scaling_factor)


@torch.no_grad()
def encode_unscaled(vae: Any, rgb: np.ndarray, device: torch.device) -> torch.Tensor:
    """The same as the VAE itself has them."""
    pixels = torch.from_numpy(np.ascontiguousarray(rgb, dtype=np.float32)).permute(2, 0, 1)[None]
    pixels = (pixels.clamp(0, 1) * 2 - 1).to(device, vae.dtype)
    latents: torch.Tensor = vae.encode(pixels).latent_dist.mode().float()
    return latents


def decode_latents(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """Latents (n, c, h, w), where the VAE computes, as pixels (n, 3, h', w'), -1..1."""
    return decode_unscaled(vae, latents / vae.config.scaling_factor + _shift(vae))


@torch.no_grad()
def decode_unscaled(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """The same for latents as the VAE itself has them."""
    # A tenth faster on CPUs, which convolve channels last.
    pixels: torch.Tensor = vae.decode(latents.to(vae.dtype, memory_format=torch.channels_last)).sample
    return pixels


def picture_of(pixels: torch.Tensor) -> np.ndarray:
    """Pixels (3, h, w), -1..1, as a picture (h, w, 3), 0..1."""
    rgb: np.ndarray = (pixels.float() / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).contiguous().cpu().numpy()
    return rgb


def _shift(vae: Any) -> float:
    return float(vae.config.shift_factor or 0)
