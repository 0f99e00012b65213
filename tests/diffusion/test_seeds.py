"""Seeds: 64 bits are promised, and each of them counts; those below 2**32 paint what they always painted."""

import random

import pytest
import torch

from bridge.diffusion import DenoiseInputs, denoise
from bridge.diffusion.noise import seeded_generator

LARGEST = 2**64 - 1


def noise(seed: int) -> torch.Tensor:
    return torch.randn(256, generator=seeded_generator(seed))


@pytest.mark.parametrize("seed", [0, 1, 7, 2**31, 2**32 - 1, *random.Random(1).sample(range(2**32), 20)])
def test_small_seeds_draw_what_they_always_drew(seed):
    # Fixed for good: recipes of earlier versions must give the same pictures.
    assert torch.equal(noise(seed), torch.randn(256, generator=torch.Generator().manual_seed(seed)))


def test_each_of_the_64_bits_counts():
    for seed in (0, LARGEST, *(random.Random(2).getrandbits(64) for _ in range(3))):
        drawn = {tuple(noise(seed ^ 1 << bit)[:8].tolist()) for bit in range(64)}
        assert len(drawn | {tuple(noise(seed)[:8].tolist())}) == 65


def test_large_seeds_draw_standard_normal_noise_that_is_alike_in_nothing():
    drawn = torch.stack([noise(random.Random(3 + index).getrandbits(64) | 1 << 63) for index in range(400)])
    assert abs(float(drawn.mean())) < 0.02
    assert abs(float(drawn.std()) - 1) < 0.02
    # Of 79,800 pairs; a correlation of 256 independent pairs of numbers has a deviation of 1/16.
    pairs = torch.corrcoef(drawn) - torch.eye(len(drawn))
    assert float(pairs.abs().max()) < 6 / 16


def test_a_large_seed_draws_the_same_again_and_goes_on():
    first, second = seeded_generator(LARGEST), seeded_generator(LARGEST)
    for _ in range(3):
        assert torch.equal(torch.randn(700, generator=first), torch.randn(700, generator=second))
    assert float(torch.randn(1, generator=first)) != float(noise(LARGEST)[0])


@pytest.mark.parametrize("sampler", ["DDIM", "DDPM", "Euler a", "DPM++ SDE", "LCM"])
def test_pictures_of_seeds_that_agree_in_32_bits_differ(tiny, sampler):
    components = tiny(inpaint=False)
    inputs = DenoiseInputs(
        (8, 8), components.encode_prompts("a red flower", ""), sampler, steps=2, guidance=1.0, strength=1.0
    )
    seeds = [5, 5 + 2**32, 5 + 2**63]
    nothing = {"check": lambda: None, "progress": lambda _: None, "preview": lambda *_: None}
    painted = denoise(components, inputs, seeds, **nothing)
    assert not torch.equal(painted[0], painted[1])
    assert not torch.equal(painted[1], painted[2])
