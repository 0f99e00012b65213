"""Between pixels and latents: the VAE's two ways, and seeded noise."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from .components import Components
from .finite import ModelStep, check_finite

__all__ = ["decode", "encode", "seeded_generator", "seeded_noise"]

# The Mersenne Twister's 624 words in the state of torch's generator on the CPU, one a 64-bit integer.
_TWISTER = slice(24, 24 + 624 * 8)


@torch.no_grad()
def encode(components: Components, rgb: np.ndarray, *, check: Callable[[], None]) -> torch.Tensor:
    """A picture (h, w, 3), 0..1, edges multiples of the VAE's scale, as scaled latents (1, c, h/scale, w/scale).

    The mode of the VAE's posterior, so that the same pixels always give the same latents. Raises ModelNotFinite.
    """
    check()
    vae = components.vae
    pixels = torch.from_numpy(np.ascontiguousarray(rgb, dtype=np.float32)).permute(2, 0, 1)[None]
    pixels = (pixels.clamp(0, 1) * 2 - 1).to(components.device.torch_device, vae.dtype)
    latents: torch.Tensor = vae.encode(pixels).latent_dist.mode().float() * vae.config.scaling_factor
    check_finite(latents, ModelStep.VAE, components)
    return latents


@torch.no_grad()
def decode(components: Components, latents: torch.Tensor, *, check: Callable[[], None]) -> np.ndarray:
    """Scaled latents (1, c, h, w) as a picture (h * scale, w * scale, 3), float32, 0..1. Raises ModelNotFinite."""
    check()
    vae = components.vae
    # A tenth faster on CPUs, which convolve channels last.
    scaled = (latents / vae.config.scaling_factor).to(vae.dtype, memory_format=torch.channels_last)
    pixels: torch.Tensor = vae.decode(scaled).sample[0]
    check_finite(pixels, ModelStep.VAE, components)
    rgb: np.ndarray = (pixels.float() / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).contiguous().cpu().numpy()
    return rgb


def seeded_generator(seed: int) -> torch.Generator:
    """A generator on the CPU for a seed from 0 to 2**64 - 1, all of whose bits count.

    `manual_seed` looks at the lower 32 bits alone. Below 2**32 it is what seeds; from there on the Mersenne Twister is
    seeded by both halves, as its authors do it (Matsumoto and Nishimura 2002, `init_by_array` in mt19937ar.c).
    """
    generator = torch.Generator().manual_seed(seed)
    if seed >> 32:
        state = generator.get_state()
        words = np.random.RandomState([seed & 0xFFFFFFFF, seed >> 32]).get_state(legacy=False)["state"]["key"]
        state[_TWISTER] = torch.from_numpy(words.astype(np.int64)).view(torch.uint8)
        generator.set_state(state)
    return generator


def seeded_noise(generators: Sequence[torch.Generator], shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Standard normal noise, (generators, *shape), by generators on the CPU.

    The same on every device and in every batch. Further calls draw further noise.
    """
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(device)
