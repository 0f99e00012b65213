"""The walks: where they begin, how they step, and that strength is one continuous rule."""

from itertools import pairwise

import pytest
import torch

from bridge.diffusion.sampler import make_sampler, timesteps_for
from bridge.models import SAMPLERS

CONFIG = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "clip_sample": False,
}


def test_full_strength_is_the_trailing_spacing():
    assert timesteps_for(steps=4, strength=1.0) == [999, 749, 499, 249]
    assert timesteps_for(steps=1, strength=1.0) == [999]


def test_whole_share_of_the_steps_is_the_tail_of_the_full_walk():
    whole = timesteps_for(steps=20, strength=1.0)
    for kept in range(1, 20):
        assert timesteps_for(steps=20, strength=kept / 20) == whole[-kept:]


@pytest.mark.parametrize("steps", [1, 4, 20, 333, 1000])
def test_strength_is_continuous(steps):
    begun, counts = [], []
    for percent in range(1, 101):
        walk = timesteps_for(steps=steps, strength=percent / 100)
        assert walk == sorted(set(walk), reverse=True)
        assert walk[-1] >= 0
        begun.append(walk[0])
        counts.append(len(walk))
    assert [after - before for before, after in pairwise(begun)] == [10] * 99
    assert counts == sorted(counts)
    assert 1 <= counts[-1] <= steps


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("strength", [1.0, 0.33, 0.01])
def test_a_perfect_denoiser_arrives_at_the_original(name, prediction, strength):
    clean = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    sampler = make_sampler(name, {**CONFIG, "prediction_type": prediction}, steps=10, strength=strength)
    latents = sampler.noised(clean, noise, 0)
    for index in range(len(sampler.timesteps)):
        at = sampler.noised(torch.ones(1), torch.zeros(1), index)
        signal, spread = float(at), float((1 - at**2).sqrt())
        perfect = {"epsilon": noise, "v_prediction": signal * noise - spread * clean, "sample": clean}[prediction]
        latents, estimate = sampler.step(perfect, latents, index)
        assert float((estimate - clean).abs().max()) < 1e-3
    # DDIM's schedule ends at the noise of its first training step, 3 % of a latent's spread.
    assert float((latents - clean).abs().mean()) < 0.03
    assert torch.equal(sampler.noised(clean, noise, len(sampler.timesteps)), clean)


def test_unknown_sampler():
    with pytest.raises(KeyError):
        make_sampler("Euler of tomorrow", CONFIG, steps=4, strength=1.0)
