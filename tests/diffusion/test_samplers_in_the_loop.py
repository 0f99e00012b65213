"""Every sampler in the denoising loop: seeds, batches, strength, cancelling and progress."""

import pytest
import torch

from bridge.diffusion import DenoiseInputs, denoise, steps_taken
from bridge.models import SAMPLERS

STEPS = 4
SECOND_ORDER = ("Heun", "DPM++ SDE")
samplers = pytest.mark.parametrize("sampler", SAMPLERS)


class Stop(Exception):
    pass


def run(components, seeds, *, check=lambda: None, progress=lambda _: None, preview=lambda *_: None, **changes):
    settings = {
        "size": (8, 8),
        "prompts": components.encode_prompts("a red flower", ""),
        "steps": STEPS,
        "guidance": 2.0,
        "strength": 1.0,
    }
    return denoise(
        components, DenoiseInputs(**{**settings, **changes}), seeds, check=check, progress=progress, preview=preview
    )


def counted(components, monkeypatch):
    """How often the UNet was called, as a list that grows."""
    calls = []
    real = components.unet.forward
    monkeypatch.setattr(components.unet, "forward", lambda *a, **k: (calls.append(1), real(*a, **k))[1])
    return calls


@samplers
def test_seeds_and_batches(tiny, sampler, monkeypatch):
    components = tiny(inpaint=False)
    alone = [run(components, [seed], sampler=sampler)[0] for seed in (4, 2**64 - 1)]
    assert not torch.allclose(*alone, atol=0.1)
    together = run(components, [4, 2**64 - 1, 4], sampler=sampler)
    for found, expected in zip(together, [*alone, alone[0]], strict=True):
        assert torch.equal(found, expected)
    monkeypatch.setattr(type(components.device), "batches", property(lambda _: True))
    for found, expected in zip(run(components, [2**64 - 1, 4], sampler=sampler), alone[::-1], strict=True):
        assert float((found - expected).abs().max()) < 1e-4


@samplers
def test_strength_and_a_soft_mask(tiny, sampler):
    components = tiny(inpaint=False)
    init_latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(4))
    denoise_mask = torch.linspace(0, 1, 8).expand(1, 1, 8, 8).contiguous()
    moved = []
    for strength in (0.1, 0.6, 1.0):
        held = {"init_latents": init_latents, "denoise_mask": denoise_mask, "strength": strength}
        found = run(components, [1], sampler=sampler, **held)[0]
        assert bool(torch.isfinite(found).all())
        moved.append((found - init_latents).abs().mean(dim=(0, 1, 2)))
        assert float(moved[-1][0]) < 1e-6
    # The more strength or coverage, the further from the original.
    assert float(moved[0].mean()) < float(moved[1].mean()) < float(moved[2].mean())
    assert 0 < float(moved[2][1:4].mean()) < float(moved[2][5:].mean())


@samplers
def test_v_prediction_with_zero_terminal_snr(tiny, sampler):
    components = tiny(inpaint=False, prediction_type="v_prediction", zero_terminal_snr=True)
    init_latents = torch.zeros(1, 4, 8, 8)
    exact = run(components, [3], sampler="DDIM", steps=30)[0]
    for strength in (1.0, 0.97, 0.4):
        found = run(components, [3], sampler=sampler, steps=5, strength=strength, init_latents=init_latents)[0]
        assert bool(torch.isfinite(found).all())
        # Of a picture's own range, not thrown off by the endless noise level that such a schedule begins with.
        assert float(found.abs().max()) < 1.5 * float(exact.abs().max())


@samplers
@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_progress_is_in_steps_and_cancel_in_evaluations(tiny, sampler, strength, monkeypatch):
    components = tiny(inpaint=False)
    init_latents = torch.zeros(1, 4, 8, 8)
    inputs = {"sampler": sampler, "strength": strength, "init_latents": init_latents}
    calls, checks, progress, previews = counted(components, monkeypatch), [], [], []
    run(
        components,
        [1],
        check=lambda: checks.append(len(calls)),
        progress=progress.append,
        preview=lambda clean, step: previews.append((clean, step)),
        **inputs,
    )
    steps = round(STEPS * strength)
    prompts = components.encode_prompts("a red flower", "")
    assert steps_taken(components, DenoiseInputs((8, 8), prompts, steps=STEPS, guidance=2.0, **inputs)) == steps
    assert progress == [step for _, step in previews] == list(range(1, steps + 1))
    assert len(calls) == (2 * steps - 1 if sampler in SECOND_ORDER else steps)
    # One look before every call, none twice.
    assert checks == list(range(len(calls)))

    for last in range(len(checks)):
        calls.clear()

        def check(last=last):
            if len(calls) > last:
                raise Stop

        if last == len(checks) - 1:
            run(components, [1], check=check, **inputs)
        else:
            with pytest.raises(Stop):
                run(components, [1], check=check, **inputs)
        assert len(calls) == last + 1


@samplers
def test_previews_are_estimates_of_the_clean_latents(tiny, sampler):
    components = tiny(inpaint=False, prediction_type="v_prediction")
    init_latents = torch.zeros(1, 4, 8, 8)
    seen = []
    found = run(
        components,
        [1],
        sampler=sampler,
        strength=0.999,
        init_latents=init_latents,
        preview=lambda clean, _: seen.append(clean),
    )[0]
    assert {clean.shape for clean in seen} == {torch.Size([4, 8, 8])}
    assert float(seen[-1].std()) == pytest.approx(float(found.std()), rel=0.1)
    # What is sampled is still nearly all noise, whose spread is 1, when the first step is done.
    assert float(seen[0].std()) < 0.6
