"""Rectified flow: its schedule and samplers, held against diffusers' scheduler and against the exact solution."""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.pipelines.flux2.pipeline_flux2 import compute_empirical_mu

from bridge.diffusion.samplers import make_sampler
from bridge.diffusion.schedules import FlowMatchingSchedule, LinearMu, ModelTime, TimeShift, flux2_mu
from bridge.models import SAMPLERS
from bridge.models.errors import SamplerUnsupported
from bridge.models.samplers import DPM_PP_2M, EULER, HEUN, samplers_for
from bridge.models.schedule import ScheduleKind

SAMPLERS_FOR_FLOWS = (DPM_PP_2M, EULER, HEUN)
samplers = pytest.mark.parametrize("name", SAMPLERS_FOR_FLOWS)
# Each with diffusers' options for the same, and its mu.
SHIFTS = {
    "none": ({}, {}, None),
    "constant": ({"shift": 3.0}, {"shift": 3.0}, None),
    "FLUX": ({"mu": LinearMu()}, {}, lambda tokens, _: calculate_shift(tokens)),
    "linear": (
        {"mu": LinearMu(base_shift=1.0, max_shift=3.0), "time_shift": TimeShift.LINEAR},
        {"time_shift_type": "linear"},
        lambda tokens, _: calculate_shift(tokens, base_shift=1.0, max_shift=3.0),
    ),
    "FLUX.2": ({"mu": flux2_mu}, {}, compute_empirical_mu),
}


def drawn(seed):
    return torch.randn(1, 16, 4, 4, generator=torch.Generator().manual_seed(seed))


def velocity(latents, timestep):
    return torch.sin(2 * latents) + 0.3 * latents * timestep


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("tokens", [256, 1024, 4096, 9216])
@pytest.mark.parametrize("steps", [1, 4, 28])
@pytest.mark.parametrize("strength", [1.0, 0.75, 0.25])
def test_agrees_with_diffusers(shift, tokens, steps, strength):
    ours, theirs, mu = SHIFTS[shift]
    clean, noise = drawn(1), drawn(2)
    scheduler = FlowMatchEulerDiscreteScheduler(**theirs, use_dynamic_shifting=mu is not None)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 1 / steps, steps), mu=None if mu is None else mu(tokens, steps))
    # Their img2img pipelines' rule; a single step below strength 1 leaves them none.
    begin = min(steps - int(steps * strength), steps - 1)
    scheduler.set_begin_index(begin)
    expected = scheduler.scale_noise(clean, scheduler.timesteps[begin : begin + 1], noise)

    schedule = FlowMatchingSchedule(**ours).for_image(tokens, steps)
    sampler = make_sampler(EULER, schedule, steps=steps, strength=1.0 if steps == 1 else strength)
    told = [evaluation.timestep for evaluation in sampler.evaluations]
    assert told == pytest.approx((scheduler.timesteps[begin:] / 1000).tolist(), abs=1e-6)
    latents = sampler.noised(clean, noise, 0)
    assert torch.allclose(latents, expected, rtol=0, atol=1e-6)
    for index, timestep in enumerate(scheduler.timesteps[begin:]):
        expected = scheduler.step(velocity(expected, timestep / 1000), timestep, expected, return_dict=False)[0]
        latents, _ = sampler.step(velocity(latents, told[index]), latents, index, [])
    assert torch.allclose(latents, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("steps", [1, 4, 20, 333])
def test_strength_is_continuous(shift, steps):
    schedule = FlowMatchingSchedule(shift=shift)
    counts = []
    for percent in range(1, 101):
        strength = percent / 100
        timesteps = schedule.timesteps(steps=steps, strength=strength)
        assert timesteps == sorted(set(timesteps), reverse=True)
        assert timesteps[-1] > 0
        assert timesteps[0] / 1000 == pytest.approx(shift * strength / (1 + (shift - 1) * strength))
        counts.append(len(timesteps))
    assert counts == sorted(counts)
    assert counts[-1] == steps


@samplers
@pytest.mark.parametrize("strength", [1.0, 0.33, 0.01])
@pytest.mark.parametrize("steps", [1, 2, 10])
def test_a_perfect_denoiser_arrives_at_the_original(name, strength, steps):
    clean, noise = drawn(1), drawn(2)
    sampler = make_sampler(name, FlowMatchingSchedule(shift=3.0), steps=steps, strength=strength)
    latents = sampler.noise_only(noise) if strength == 1 else sampler.noised(clean, noise, 0)
    for index in range(len(sampler.evaluations)):
        assert torch.equal(sampler.model_input(latents, index), latents)
        latents, estimate = sampler.step(noise - clean, latents, index, [])
        assert float((estimate - clean).abs().max()) < 1e-5
    assert float((latents - clean).abs().max()) < 1e-5
    assert torch.equal(sampler.noised(clean, noise, len(sampler.evaluations)), clean)
    assert sampler.evaluations[-1].reached == 1
    assert len({evaluation.reached for evaluation in sampler.evaluations}) == sum(
        evaluation.ends_step for evaluation in sampler.evaluations
    )


def solved(name, steps, *, mean=0.7, spread=0.4):
    """How far a sampler ends from the exact solution, for clean latents that are normally distributed.

    Then latents at sigma are, too, with variance v = (1 - sigma)^2 spread^2 + sigma^2; what the denoiser should predict
    follows by regression, and noise z is carried to mean + spread * z.
    """
    noise = drawn(2).double()
    sampler = make_sampler(name, FlowMatchingSchedule(), steps=steps, strength=1.0)
    latents = sampler.noise_only(noise)
    for index, evaluation in enumerate(sampler.evaluations):
        sigma = evaluation.timestep
        centred = latents - (1 - sigma) * mean
        variance = (1 - sigma) ** 2 * spread**2 + sigma**2
        clean = mean + (1 - sigma) * spread**2 / variance * centred
        latents, _ = sampler.step(sigma / variance * centred - clean, latents, index, [])
    return float((latents - (mean + spread * noise)).abs().mean())


@pytest.mark.parametrize(
    ("name", "least", "most"),
    # 4 is first order, 16 second. DPM++ 2M begins with a step of first order, whose end in log-SNR lies at infinity.
    [(EULER, 3.5, 5), (HEUN, 13, 20), (DPM_PP_2M, 7, 20)],
)
def test_order_of_convergence(name, least, most):
    assert least < solved(name, 40) / solved(name, 160) < most
    assert name == EULER or solved(name, 10) < solved(EULER, 10) / 2


@pytest.mark.parametrize(
    ("told", "expected"),
    [(ModelTime.SIGMA, [1, 0.75]), (ModelTime.TIMESTEP, [1000, 750]), (ModelTime.SIGNAL, [0, 0.25])],
)
@samplers
def test_what_the_denoiser_is_told(name, told, expected):
    sampler = make_sampler(name, FlowMatchingSchedule(shift=3.0, model_time=told), steps=2, strength=1.0)
    timesteps = list(dict.fromkeys(evaluation.timestep for evaluation in sampler.evaluations))
    assert timesteps == pytest.approx(expected)


@pytest.mark.parametrize("name", sorted(set(SAMPLERS) - set(SAMPLERS_FOR_FLOWS)))
def test_other_samplers_are_refused_by_the_names_of_those_that_work(name):
    with pytest.raises(SamplerUnsupported, match=f"{name.split('+')[0]}.* flow matching") as refused:
        make_sampler(name, FlowMatchingSchedule(), steps=4, strength=1.0)
    assert refused.value.hint == "Choose one of DPM++ 2M, Euler, Heun."
    assert samplers_for(ScheduleKind.FLOW_MATCHING) == SAMPLERS_FOR_FLOWS


def test_a_shift_by_size_needs_the_size():
    schedule = FlowMatchingSchedule(mu=LinearMu())
    with pytest.raises(ValueError, match="for_image"):
        make_sampler(EULER, schedule, steps=4, strength=1.0)
    small, large = (schedule.for_image(tokens, 4).timesteps(steps=4, strength=1.0) for tokens in (256, 4096))
    assert small[0] == large[0] == 1000
    assert all(one < other for one, other in zip(small[1:], large[1:], strict=True))
    with pytest.raises(ValueError, match="not by both"):
        FlowMatchingSchedule(mu=LinearMu(), shift=3.0)
