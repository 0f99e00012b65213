"""Seeded noise, the same on every device."""

from collections.abc import Sequence

import numpy as np
import torch

__all__ = ["seeded_generator", "seeded_noise"]

# The Mersenne Twister's 624 words in the state of torch's generator on the CPU, one a 64-bit integer.
_TWISTER = slice(24, 24 + 624 * 8)


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
