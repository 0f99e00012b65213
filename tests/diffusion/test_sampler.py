"""The samplers: where they begin, how they step, and that strength is one continuous rule."""

from itertools import pairwise

import pytest
import torch

from bridge.diffusion.samplers import make_sampler
from bridge.diffusion.schedules import VariancePreservingSchedule
from bridge.models import SAMPLERS
from bridge.models.errors import SamplerUnsupported

CONFIG = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "clip_sample": False,
}
# These call the UNet twice in every step but the last.
SECOND_ORDER = ("Heun", "DPM++ SDE")
samplers = pytest.mark.parametrize("name", SAMPLERS)


def of_config(name, config, **values):
    return make_sampler(name, VariancePreservingSchedule(config), **values)


def timesteps_for(**values):
    return VariancePreservingSchedule(CONFIG).timesteps(**values)


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def drawn(seed, pictures=1):
    return torch.randn(pictures, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def signal_and_spread(sampler, index):
    """What of the clean latents and of noise the UNet sees."""
    signal = float(sampler.model_input(sampler.noised(torch.ones(1), torch.zeros(1), index), index))
    return signal, (1 - signal**2) ** 0.5


def sampled(sampler, clean, latents, sources, prediction="epsilon"):
    """Where a UNet leads that knows `clean`, and the estimates on the way."""
    estimates = []
    for index in range(len(sampler.evaluations)):
        signal, spread = signal_and_spread(sampler, index)
        noise = (sampler.model_input(latents, index) - signal * clean) / spread
        perfect = {"epsilon": noise, "v_prediction": signal * noise - spread * clean, "sample": clean}[prediction]
        latents, estimate = sampler.step(perfect, latents, index, sources)
        estimates.append(estimate)
    return latents, estimates


def test_full_strength_is_the_trailing_spacing():
    assert timesteps_for(steps=4, strength=1.0) == [999, 749, 499, 249]
    assert timesteps_for(steps=1, strength=1.0) == [999]


def test_whole_share_of_the_steps_is_the_tail_of_the_full_list():
    whole = timesteps_for(steps=20, strength=1.0)
    for results in range(1, 20):
        assert timesteps_for(steps=20, strength=results / 20) == whole[-results:]


@pytest.mark.parametrize("steps", [1, 4, 20, 333, 1000])
def test_strength_is_continuous(steps):
    begun, counts = [], []
    for percent in range(1, 101):
        timesteps = timesteps_for(steps=steps, strength=percent / 100)
        assert timesteps == sorted(set(timesteps), reverse=True)
        assert timesteps[-1] >= 0
        begun.append(timesteps[0])
        counts.append(len(timesteps))
    assert [after - before for before, after in pairwise(begun)] == [10] * 99
    assert counts == sorted(counts)
    assert 1 <= counts[-1] <= steps


@samplers
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("strength", [1.0, 0.33, 0.01])
def test_a_perfect_denoiser_arrives_at_the_original(name, prediction, strength):
    clean, noise = drawn(1), drawn(2)
    sampler = of_config(name, {**CONFIG, "prediction_type": prediction}, steps=10, strength=strength)
    latents, estimates = sampled(sampler, clean, sampler.noised(clean, noise, 0), generators(3), prediction)
    for estimate in estimates:
        assert float((estimate - clean).abs().max()) < 1e-3
    # Some schedules end at the noise of the first training step, 3 % of a latent's spread.
    assert float((latents - clean).abs().mean()) < 0.03
    assert torch.equal(sampler.noised(clean, noise, len(sampler.evaluations)), clean)


@samplers
@pytest.mark.parametrize("steps", [1, 2, 7, 1000])
@pytest.mark.parametrize("zero_snr", [False, True], ids=["", "zero terminal SNR"])
def test_any_number_of_steps_ends_finite(name, steps, zero_snr):
    config = {**CONFIG, "prediction_type": "v_prediction", "rescale_betas_zero_snr": zero_snr}
    clean, noise = drawn(1), drawn(2)
    sampler = of_config(name, config, steps=steps, strength=1.0)
    latents, _ = sampled(sampler, clean, sampler.noise_only(noise), generators(3), "v_prediction")
    assert bool(torch.isfinite(latents).all())
    # All noise is gone, of one step and of a thousand, on a schedule that begins with nothing else.
    assert float((latents - clean).abs().mean()) < 0.1


@samplers
@pytest.mark.parametrize("strength", [1.0, 0.33])
def test_steps_and_evaluations(name, strength):
    sampler = of_config(name, CONFIG, steps=10, strength=strength)
    begun = timesteps_for(steps=10, strength=strength)
    evaluations = sampler.evaluations
    assert sum(one.ends_step for one in evaluations) == len(begun)
    assert len(evaluations) == (2 * len(begun) - 1 if name in SECOND_ORDER else len(begun))
    assert evaluations[0].timestep == begun[0]
    timesteps, reached = [one.timestep for one in evaluations], [one.reached for one in evaluations]
    assert timesteps == sorted(timesteps, reverse=True)
    assert reached == sorted(reached)
    assert reached[-1] == 1
    assert evaluations[-1].ends_step


@samplers
def test_all_begin_at_the_same_noise(name):
    """Strength means the same with every sampler."""
    for strength in (0.2, 0.5, 0.95):
        found = signal_and_spread(of_config(name, CONFIG, steps=10, strength=strength), 0)
        expected = signal_and_spread(of_config("DDIM", CONFIG, steps=10, strength=strength), 0)
        assert found == pytest.approx(expected, abs=1e-5)


@samplers
def test_noise_on_the_way_is_each_pictures_own(name):
    clean, noise = drawn(1), drawn(2)
    wrong = clean + 0.5
    ends = []
    for seeds in ([5], [6], [5], [6, 5]):
        sampler = of_config(name, CONFIG, steps=6, strength=1.0)
        pictures = noise.expand(len(seeds), -1, -1, -1)
        ends.append(sampled(sampler, wrong, sampler.noise_only(pictures), generators(*seeds))[0])
    assert torch.equal(ends[0], ends[2])
    assert torch.allclose(ends[3], torch.cat([ends[1], ends[0]]), atol=1e-5)


def test_dpm_sde_takes_k_diffusions_step():
    """Against sample_dpmpp_sde's formulas (eta 1, r 1/2), in sigma, with the same noise."""
    sampler = of_config("DPM++ SDE", CONFIG, steps=5, strength=1.0)
    vp = [signal_and_spread(sampler, index) for index in range(len(sampler.evaluations))]
    sigma = [spread / signal for signal, spread in vp] + [0.0]
    latents = sampler.noise_only(drawn(2))
    theirs = latents / vp[0][0]
    ours, source = generators(9), torch.Generator().manual_seed(9)

    def ancestral(x, clean, begin, end):
        down = end**2 / begin
        up = (end**2 - down**2) ** 0.5
        fresh = torch.randn(x.shape, generator=source)
        return down / begin * x + (1 - down / begin) * clean + up * fresh

    def denoised(x, level):
        return torch.tanh(x / (1 + level))

    for index in range(0, len(sampler.evaluations), 2):
        steps = range(index, min(index + 2, len(sampler.evaluations)))
        for one in steps:
            seen = latents / vp[one][0]
            prediction = (seen - denoised(seen, sigma[one])) / sigma[one]
            latents, _ = sampler.step(prediction, latents, one, ours)
        if len(steps) == 1:
            theirs = denoised(theirs, sigma[index])
            continue
        middle = ancestral(theirs, denoised(theirs, sigma[index]), sigma[index], sigma[index + 1])
        theirs = ancestral(theirs, denoised(middle, sigma[index + 1]), sigma[index], sigma[index + 2])
    assert float((latents - theirs).abs().max()) < 1e-4


def test_unknown_sampler():
    with pytest.raises(SamplerUnsupported, match="Euler of tomorrow"):
        of_config("Euler of tomorrow", CONFIG, steps=4, strength=1.0)


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_a_checkpoints_own_scheduler_chose_changes_no_step(name):
    """A config says how the UNet was trained; how its author liked to sample is another matter."""
    trained = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "set_alpha_to_one": False}
    chosen = {
        "_class_name": "DPMSolverMultistepScheduler",
        "algorithm_type": "sde-dpmsolver++",
        "solver_type": "heun",
        "lower_order_final": False,
        "euler_at_final": True,
        "use_lu_lambdas": True,
        "final_sigmas_type": "sigma_min",
        "timestep_spacing": "linspace",
        "variance_type": "fixed_large",
        "clip_sample": True,
        "predict_x0": False,
    }
    ends = []
    for config in (trained, {**trained, **chosen}):
        sampler = of_config(name, config, steps=4, strength=1.0)
        generator = torch.Generator().manual_seed(1)
        latents = sampler.noise_only(torch.randn((1, 4, 4, 4), generator=generator))
        for index in range(len(sampler.evaluations)):
            latents, _ = sampler.step(0.3 * sampler.model_input(latents, index), latents, index, [generator])
        ends.append(latents)
    assert torch.equal(*ends)
