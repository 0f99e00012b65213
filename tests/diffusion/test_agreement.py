"""Our loop against diffusers' own pipelines: same weights, same latents, float32, at most 1e-4 apart."""

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    TCDScheduler,
    UniPCMultistepScheduler,
)

from bridge.diffusion import DenoiseInputs, denoise, seeded_noise
from bridge.models import SAMPLERS

TOLERANCE = 1e-4
SIZE = (8, 8)


def trailing(steps):
    return np.arange(1000, 0, -1000 / steps).round() - 1


class TrailingLcm(LCMScheduler):
    """Takes trailing timesteps as a list alone."""

    def set_timesteps(self, num_inference_steps, **_):
        super().set_timesteps(timesteps=[int(t) for t in trailing(num_inference_steps)])


class TrailingTcd(TCDScheduler):
    """Takes trailing timesteps as a list alone."""

    def set_timesteps(self, num_inference_steps, **_):
        super().set_timesteps(timesteps=[int(t) for t in trailing(num_inference_steps)])


class TwoEvaluationsAStep(DPMSolverSinglestepScheduler):
    """Counts as k-diffusion does: evaluations lie at trailing timesteps and halfway between two in log-SNR."""

    order = 2

    def set_timesteps(self, num_inference_steps, **_):
        training = (((1 - self.alphas_cumprod) / self.alphas_cumprod) ** 0.5).numpy()
        begun = trailing(num_inference_steps)
        sigmas = training[begun.astype(int)].astype(np.float64)
        halfway = np.exp((np.log(sigmas[:-1]) + np.log(sigmas[1:])) / 2)
        between = np.array([self._sigma_to_t(sigma, np.log(training)) for sigma in halfway])
        super().set_timesteps(2 * num_inference_steps - 1)
        self.timesteps = torch.tensor(np.append(np.stack([begun[:-1], between], 1).ravel(), begun[-1])).float()
        levels = np.append(np.stack([sigmas[:-1], halfway], 1).ravel(), [sigmas[-1], 0])
        self.sigmas = torch.tensor(levels).float()


SCHEDULERS = {
    "DDIM": (DDIMScheduler, {}),
    "DDPM": (DDPMScheduler, {}),
    "Euler": (EulerDiscreteScheduler, {}),
    "Euler a": (EulerAncestralDiscreteScheduler, {}),
    "Heun": (HeunDiscreteScheduler, {}),
    "DPM++ 2M": (DPMSolverMultistepScheduler, {}),
    "DPM++ 2M Karras": (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
    "DPM++ SDE": (TwoEvaluationsAStep, {"algorithm_type": "sde-dpmsolver++"}),
    "UniPC": (UniPCMultistepScheduler, {}),
    "LCM": (TrailingLcm, {}),
    "TCD": (TrailingTcd, {}),
}
SCHEDULES = {
    "epsilon": ("epsilon", False),
    "v": ("v_prediction", False),
    "v, zero terminal SNR": ("v_prediction", True),
}
cases = pytest.mark.parametrize(
    ("sampler", "schedule"),
    [
        pytest.param(sampler, schedule, id=f"{sampler}, {name}")
        for sampler in SAMPLERS
        for name, schedule in SCHEDULES.items()
        # Diffusers' Heun is thrown off by such a schedule; ours has its own test.
        if not (sampler == "Heun" and schedule[1])
    ],
)


def pipeline(kind, components, sampler):
    scheduler_kind, options = SCHEDULERS[sampler]
    config = components.scheduler_config
    scheduler = scheduler_kind.from_config(config, timestep_spacing="trailing", clip_sample=False, **options)
    if isinstance(scheduler, TwoEvaluationsAStep):
        # It knows no zero terminal SNR; the others do, and have the same where there is none.
        scheduler.alphas_cumprod = EulerDiscreteScheduler.from_config(config).alphas_cumprod
    pipe = kind(
        vae=components.vae,
        text_encoder=components.modules["text_encoder"],
        tokenizer=components.text_encoders[0].tokenizer,
        unet=components.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def ours(components, **inputs):
    prompts = components.encode_prompts("a red flower", "blue sky")
    whole = DenoiseInputs(size=SIZE, prompts=prompts, guidance=3.0, **inputs)
    return denoise(components, whole, [7], check=lambda: None, progress=lambda _: None, preview=lambda *_: None)[0]


def theirs(pipe, steps, **options):
    # The eta that TCD's paper recommends and its scheduler has, if a pipeline doesn't say otherwise.
    return pipe(
        "a red flower",
        negative_prompt="blue sky",
        num_inference_steps=steps,
        guidance_scale=3.0,
        output_type="latent",
        eta=0.3 if isinstance(pipe.scheduler, TCDScheduler) else 0.0,
        **options,
    ).images


def begun(components):
    """The latents that a pipeline begins with, and the generator from which they came."""
    generator = torch.Generator().manual_seed(7)
    latents = seeded_noise([generator], (4, *SIZE), components.device.torch_device)
    return {"latents": latents, "generator": generator}


def picture():
    rows, columns = np.mgrid[0:64, 0:64].astype(np.float32) / 64
    return np.stack([rows, columns, 1 - rows], axis=-1)


def hard_mask():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 24:56] = 1
    return mask


def apart(one, other):
    return float((one - other).abs().max())


@cases
def test_text_to_image(tiny, sampler, schedule):
    components = tiny(inpaint=False, prediction_type=schedule[0], zero_terminal_snr=schedule[1])
    expected = theirs(
        pipeline(StableDiffusionPipeline, components, sampler), 4, **begun(components), height=64, width=64
    )
    found = ours(components, sampler=sampler, steps=4, strength=1.0)
    assert float(expected.std()) > 0.1
    assert apart(found, expected) < TOLERANCE


@cases
def test_nine_channels_with_a_hard_mask(tiny, sampler, schedule):
    components = tiny(inpaint=True, prediction_type=schedule[0], zero_terminal_snr=schedule[1])
    blank = hard_mask()[0, 0].numpy()[..., None] > 0
    masked_image_latents = components.encode(np.where(blank, np.float32(0.5), picture()))
    expected = theirs(
        pipeline(StableDiffusionInpaintPipeline, components, sampler),
        4,
        image=torch.from_numpy(picture()).permute(2, 0, 1)[None],
        mask_image=hard_mask(),
        masked_image_latents=masked_image_latents,
        **begun(components),
        height=64,
        width=64,
    )
    found = ours(
        components,
        sampler=sampler,
        steps=4,
        strength=1.0,
        masked_image_latents=masked_image_latents,
        mask=hard_mask()[..., ::8, ::8],
    )
    assert apart(found, expected) < TOLERANCE


@cases
def test_four_channels_held_to_the_original_outside_a_hard_mask(tiny, sampler, schedule):
    components = tiny(inpaint=False, prediction_type=schedule[0], zero_terminal_snr=schedule[1])
    init_latents = components.encode(picture())
    expected = theirs(
        pipeline(StableDiffusionInpaintPipeline, components, sampler),
        4,
        image=init_latents,
        mask_image=hard_mask(),
        masked_image_latents=init_latents,
        **begun(components),
        height=64,
        width=64,
    )
    found = ours(
        components,
        sampler=sampler,
        steps=4,
        strength=1.0,
        init_latents=init_latents,
        denoise_mask=hard_mask()[..., ::8, ::8],
    )
    assert apart(found, expected) < TOLERANCE
    outside = hard_mask()[..., ::8, ::8].expand_as(found) == 0
    assert apart(found[outside], init_latents[outside]) < 1e-6


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "DPM++ 2M Karras"])
@pytest.mark.parametrize("strength", [0.1, 0.7])
def test_below_full_strength(tiny, sampler, strength):
    """All but Karras, whose share of the steps diffusers begins at a noise level that means another strength."""
    components = tiny(inpaint=False)
    init_latents = components.encode(picture())
    expected = theirs(
        pipeline(StableDiffusionImg2ImgPipeline, components, sampler),
        10,
        image=init_latents,
        strength=strength,
        generator=torch.Generator().manual_seed(7),
    )
    found = ours(components, sampler=sampler, steps=10, strength=strength, init_latents=init_latents)
    assert apart(found, expected) < TOLERANCE


# Solvers look back, and do so differently in walks of fifteen steps and more.
@pytest.mark.parametrize(
    ("sampler", "steps"),
    [*((name, 1) for name in SAMPLERS), *((name, 20) for name in ("DDIM", "DPM++ 2M", "DPM++ 2M Karras", "UniPC"))],
)
def test_one_step_and_many(tiny, sampler, steps):
    components = tiny(inpaint=False)
    expected = theirs(
        pipeline(StableDiffusionPipeline, components, sampler), steps, **begun(components), height=64, width=64
    )
    assert apart(ours(components, sampler=sampler, steps=steps, strength=1.0), expected) < TOLERANCE
