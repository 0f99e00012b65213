"""The loop: batches, cancelling, the soft mask over time, progress."""

import pytest
import torch

from bridge.diffusion import DenoiseInputs, denoise, steps_taken


class Stop(Exception):
    pass


def inputs(components, **changes):
    settings = {
        "size": (8, 8),
        "prompts": components.encode_prompts("a red flower", ""),
        "sampler": "DDIM",
        "steps": 4,
        "guidance": 3.0,
        "strength": 1.0,
    }
    return DenoiseInputs(**{**settings, **changes})


def run(components, what, seeds, *, check=lambda: None, progress=lambda _: None, preview=lambda *_: None):
    return denoise(components, what, seeds, check=check, progress=progress, preview=preview)


def test_each_picture_of_a_batch_is_what_it_is_alone(tiny):
    components = tiny(inpaint=False)
    together = run(components, inputs(components), [5, 2**64 - 1, 0])
    for seed, found in zip([5, 2**64 - 1, 0], together, strict=True):
        assert torch.equal(run(components, inputs(components), [seed])[0], found)
    assert not torch.equal(together[0], together[1])


def test_a_gpus_batch_is_close_to_alone(tiny, monkeypatch):
    components = tiny(inpaint=False)
    alone = run(components, inputs(components), [5])[0]
    monkeypatch.setattr(type(components.device), "batches", property(lambda _: True))
    progress = []
    together = run(components, inputs(components), [4, 5], progress=progress.append)
    assert progress == [1, 2, 3, 4]
    assert float((together[1] - alone).abs().max()) < 1e-4


@pytest.mark.parametrize("last", [1, 2, 3])
def test_cancel_in_a_step_lets_no_further_one_run(tiny, last, monkeypatch):
    components = tiny(inpaint=False)
    calls = []
    real = components.unet.forward
    monkeypatch.setattr(components.unet, "forward", lambda *a, **k: (calls.append(1), real(*a, **k))[1])

    def check():
        if len(calls) >= last:
            raise Stop

    with pytest.raises(Stop):
        run(components, inputs(components), [1, 2], check=check)
    assert len(calls) == last


def test_progress_counts_over_all_pictures(tiny):
    components = tiny(inpaint=False)
    progress, previews = [], []
    run(
        components,
        inputs(components),
        [1, 2],
        progress=progress.append,
        preview=lambda c, s: previews.append((c.shape, s)),
    )
    assert progress == list(range(1, 9))
    assert previews == [(torch.Size([4, 8, 8]), step) for step in range(1, 9)]


def test_guidance_of_one_takes_the_wanted_prompt_alone(tiny):
    components = tiny(inpaint=False)
    other = components.encode_prompts("a red flower", "blue sky")
    plain = run(components, inputs(components, guidance=1.0), [3])[0]
    assert torch.equal(run(components, inputs(components, guidance=1.0, prompts=other), [3])[0], plain)
    near = run(components, inputs(components, guidance=1.0001), [3])[0]
    assert float((near - plain).abs().max()) < 1e-2


def test_low_coverage_changes_less_than_high(tiny):
    components = tiny(inpaint=False)
    init_latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(4))
    denoise_mask = torch.linspace(0, 1, 8).expand(1, 1, 8, 8).contiguous()
    found = run(components, inputs(components, steps=8, init_latents=init_latents, denoise_mask=denoise_mask), [1])[0]
    moved = (found - init_latents).abs().mean(dim=(0, 1, 2))
    assert float(moved[0]) < 1e-6
    assert float(moved[1]) > 0
    assert float(moved[-2:].mean()) > 2 * float(moved[1:3].mean())


def test_strength_takes_its_share_of_the_steps(tiny):
    components = tiny(inpaint=False)
    init_latents = torch.zeros(1, 4, 8, 8)
    counts = [
        steps_taken(components, inputs(components, steps=10, strength=s, init_latents=init_latents))
        for s in (0.01, 0.5, 1)
    ]
    assert counts == [1, 5, 10]


def test_missing_inputs_are_refused(tiny):
    with pytest.raises(ValueError, match="below strength 1"):
        run(tiny(inpaint=False), inputs(tiny(inpaint=False), strength=0.5), [1])
    with pytest.raises(ValueError, match="inpainting UNet"):
        run(tiny(inpaint=True), inputs(tiny(inpaint=True)), [1])
