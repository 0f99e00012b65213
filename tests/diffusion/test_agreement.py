"""Our loop against diffusers' own pipelines: same weights, same latents, float32, at most 1e-4 apart."""

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
)

from bridge.diffusion import Walk, denoise, encode, encode_prompt, seeded_noise

TOLERANCE = 1e-4
SIZE = (8, 8)
SCHEDULERS = {"DDIM": DDIMScheduler, "DPM++ 2M": DPMSolverMultistepScheduler}
samplers = pytest.mark.parametrize("sampler", list(SCHEDULERS))
schedules = pytest.mark.parametrize(
    "schedule",
    [("epsilon", False), ("v_prediction", False), ("v_prediction", True)],
    ids=["epsilon", "v", "v, zero terminal SNR"],
)


def pipeline(kind, components, sampler):
    scheduler = SCHEDULERS[sampler].from_config(components.scheduler_config, timestep_spacing="trailing")
    pipe = kind(
        vae=components.vae,
        text_encoder=components.text_encoder,
        tokenizer=components.tokenizer,
        unet=components.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def ours(components, **walk):
    conditioning = encode_prompt(components, "a red flower", "blue sky")
    whole = Walk(size=SIZE, conditioning=conditioning, guidance=3.0, **walk)
    return denoise(components, whole, [7], check=lambda: None, progress=lambda _: None, preview=lambda *_: None)[0]


def theirs(pipe, steps, **options):
    return pipe(
        "a red flower",
        negative_prompt="blue sky",
        num_inference_steps=steps,
        guidance_scale=3.0,
        output_type="latent",
        **options,
    ).images


def noise(components):
    return seeded_noise(7, (1, 4, *SIZE), components.device.torch_device)


def picture():
    rows, columns = np.mgrid[0:64, 0:64].astype(np.float32) / 64
    return np.stack([rows, columns, 1 - rows], axis=-1)


def hard_mask():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 24:56] = 1
    return mask


def apart(one, other):
    return float((one - other).abs().max())


@samplers
@schedules
@pytest.mark.parametrize("steps", [4, 20])
def test_text_to_image(tiny, sampler, schedule, steps):
    components = tiny(inpaint=False, prediction_type=schedule[0], zero_terminal_snr=schedule[1])
    expected = theirs(
        pipeline(StableDiffusionPipeline, components, sampler), steps, latents=noise(components), height=64, width=64
    )
    found = ours(components, sampler=sampler, steps=steps, strength=1.0)
    assert float(expected.std()) > 0.1
    assert apart(found, expected) < TOLERANCE


@samplers
@schedules
def test_nine_channels_with_a_hard_mask(tiny, sampler, schedule):
    components = tiny(inpaint=True, prediction_type=schedule[0], zero_terminal_snr=schedule[1])
    blank = hard_mask()[0, 0].numpy()[..., None] > 0
    masked = encode(components, np.where(blank, np.float32(0.5), picture()), check=lambda: None)
    expected = theirs(
        pipeline(StableDiffusionInpaintPipeline, components, sampler),
        10,
        image=torch.from_numpy(picture()).permute(2, 0, 1)[None],
        mask_image=hard_mask(),
        masked_image_latents=masked,
        latents=noise(components),
        height=64,
        width=64,
    )
    found = ours(components, sampler=sampler, steps=10, strength=1.0, masked=masked, hole=hard_mask())
    assert apart(found, expected) < TOLERANCE


@samplers
@schedules
def test_four_channels_held_to_the_original_outside_a_hard_mask(tiny, sampler, schedule):
    components = tiny(inpaint=False, prediction_type=schedule[0], zero_terminal_snr=schedule[1])
    original = encode(components, picture(), check=lambda: None)
    expected = theirs(
        pipeline(StableDiffusionInpaintPipeline, components, sampler),
        10,
        image=original,
        mask_image=hard_mask(),
        masked_image_latents=original,
        latents=noise(components),
        height=64,
        width=64,
    )
    found = ours(
        components, sampler=sampler, steps=10, strength=1.0, original=original, coverage=hard_mask()[..., ::8, ::8]
    )
    assert apart(found, expected) < TOLERANCE
    outside = hard_mask()[..., ::8, ::8].expand_as(found) == 0
    assert apart(found[outside], original[outside]) < 1e-6


@samplers
@pytest.mark.parametrize("strength", [0.1, 0.5, 0.9])
def test_below_full_strength(tiny, sampler, strength):
    components = tiny(inpaint=False)
    original = encode(components, picture(), check=lambda: None)
    expected = theirs(
        pipeline(StableDiffusionImg2ImgPipeline, components, sampler),
        10,
        image=original,
        strength=strength,
        generator=torch.Generator().manual_seed(7),
    )
    found = ours(components, sampler=sampler, steps=10, strength=strength, original=original)
    assert apart(found, expected) < TOLERANCE


def test_a_hundred_steps_and_one(tiny):
    components = tiny(inpaint=False)
    for steps in (1, 100):
        expected = theirs(
            pipeline(StableDiffusionPipeline, components, "DDIM"),
            steps,
            latents=noise(components),
            height=64,
            width=64,
        )
        assert apart(ours(components, sampler="DDIM", steps=steps, strength=1.0), expected) < TOLERANCE
