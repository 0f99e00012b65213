"""Short steps: as many as are said, near the full computation, repeatable, and without a trace in the model."""

from dataclasses import replace

import pytest
import torch

from bridge.diffusion import DenoiseInputs, denoise
from bridge.diffusion.shortcut import Shortcut

FULL = {8: [0, 1, 5, 7], 12: [0, 1, 5, 9, 11], 20: [0, 1, 5, 9, 13, 17, 19]}


@pytest.fixture
def model(tiny):
    return tiny(inpaint=False)


@pytest.fixture
def inputs(model):
    return DenoiseInputs(
        size=(8, 8),
        prompts=model.encode_prompts("a red flower", "a rock"),
        sampler="DDIM",
        steps=12,
        guidance=4.0,
        strength=1.0,
        fast=True,
    )


def denoised(model, inputs, seeds=(1,), check=lambda: None):
    return denoise(model, inputs, seeds, check=check, progress=lambda _: None, preview=lambda *_: None)


@pytest.mark.parametrize("steps", FULL)
def test_the_first_two_the_last_and_every_fourth_are_full(steps):
    shortcut = Shortcut(steps)
    assert [step for step in range(steps) if not shortcut.short(step)] == FULL[steps]


@pytest.mark.parametrize("guidance", [4.0, 1.0])
def test_inner_blocks_and_the_half_without_the_prompt_compute_in_full_steps_only(model, inputs, guidance, monkeypatch):
    outer, inner = [], []
    for block, seen in ((model.unet.down_blocks[0], outer), (model.unet.mid_block, inner)):
        resnet = block.resnets[0]
        real = resnet.forward
        monkeypatch.setattr(
            resnet, "forward", lambda x, *a, real=real, seen=seen, **k: (seen.append(len(x)), real(x, *a, **k))[1]
        )
    denoised(model, replace(inputs, guidance=guidance))
    both = 1 if guidance == 1 else 2
    assert inner == [both] * len(FULL[12])
    assert sorted(outer) == [1] * 7 + [both] * len(FULL[12]) if both == 2 else outer == [1] * 12


def test_it_is_near_the_full_computation_and_repeats(model, inputs):
    full, short, again = (denoised(model, replace(inputs, fast=fast))[0] for fast in (False, True, True))
    assert torch.equal(short, again)
    assert not torch.equal(short, full)
    other = denoised(model, replace(inputs, fast=False), seeds=(2,))[0]
    assert (short - full).norm() < 0.3 * (other - full).norm()
    batch = denoised(model, inputs, seeds=(2, 1))
    assert torch.equal(batch[1], short)


def test_few_steps_are_all_full(model, inputs):
    few = replace(inputs, steps=7)
    assert torch.equal(denoised(model, few)[0], denoised(model, replace(few, fast=False))[0])


def test_samplers_that_predict_twice_a_step(model, inputs):
    for sampler in ("Heun", "DPM++ SDE"):
        full, short = (denoised(model, replace(inputs, sampler=sampler, fast=fast))[0] for fast in (False, True))
        assert torch.isfinite(short).all()
        assert not torch.equal(short, full)


def test_the_model_is_left_as_it_was(model, inputs):
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoised(model, inputs, check=check)
    assert not [name for name, module in model.unet.named_modules() if "forward" in module.__dict__]
