"""Families beside SD1 against diffusers' own pipelines: same weights, same latents, float32, at most 1e-4 apart."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl

from bridge.diffusion import DenoiseInputs, ModelInputs, PromptEmbeds, denoise, load
from bridge.models import inspect

TOLERANCE = 1e-4
SIZE = (8, 8)
PREDICTIONS = pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])


@pytest.fixture(scope="module")
def family(tmp_path_factory, cpu):
    held = {}

    def get(build, *, inpaint, prediction):
        key = (build, inpaint, prediction)
        if key not in held:
            folder = build(tmp_path_factory.mktemp("family") / "it", inpaint=inpaint, prediction_type=prediction)
            held[key] = load(inspect(folder), cpu, check=lambda: None)
        return held[key]

    return get


def ours(components, *, prompt="a red flower", negative="blue sky", guidance=3.0, **options):
    prompts = components.encode_prompts(prompt, negative)
    inputs = DenoiseInputs(SIZE, prompts, sampler="DDIM", steps=10, guidance=guidance, strength=1.0, **options)
    return denoise(components, inputs, [7], check=lambda: None, progress=lambda _: None, preview=lambda *_: None)[0]


def theirs(kind, components, *, negative="blue sky", guidance=3.0, **options):
    pipe = kind.from_pretrained(components.checkpoint.path, local_files_only=True)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    pipe.set_progress_bar_config(disable=True)
    latents = torch.randn((1, 4, *SIZE), generator=torch.Generator().manual_seed(7))
    return pipe(
        "a red flower",
        negative_prompt=negative,
        num_inference_steps=10,
        guidance_scale=guidance,
        latents=latents,
        height=64,
        width=64,
        output_type="latent",
        **options,
    ).images


def inpainting(components):
    """The same picture and hard mask for both: ours, and what diffusers' pipelines call them."""
    rows, columns = np.mgrid[0:64, 0:64].astype(np.float32) / 64
    picture = np.stack([rows, columns, 1 - rows], axis=-1)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 24:56] = 1
    masked_image_latents = components.encode(np.where(mask[0, 0, :, :, None] > 0, np.float32(0.5), picture))
    picture = torch.from_numpy(picture).permute(2, 0, 1)[None]
    return {"masked_image_latents": masked_image_latents, "mask": mask[..., ::8, ::8]}, {
        "image": picture,
        "mask_image": mask,
        "masked_image_latents": masked_image_latents,
        "strength": 1.0,
    }


def apart(one, other):
    assert float(other.std()) > 0.1
    return float((one - other).abs().max())


@PREDICTIONS
def test_sd2(family, prediction):
    components = family(build_tiny_sd2, inpaint=False, prediction=prediction)
    assert apart(ours(components), theirs(StableDiffusionPipeline, components)) < TOLERANCE


@PREDICTIONS
def test_sd2_with_nine_channels(family, prediction):
    components = family(build_tiny_sd2, inpaint=True, prediction=prediction)
    mine, named = inpainting(components)
    assert apart(ours(components, **mine), theirs(StableDiffusionInpaintPipeline, components, **named)) < TOLERANCE


@PREDICTIONS
@pytest.mark.parametrize("negative", ["blue sky", None])
def test_sdxl(family, prediction, negative):
    """Without a negative prompt both condition on zeros."""
    components = family(build_tiny_sdxl, inpaint=False, prediction=prediction)
    expected = theirs(StableDiffusionXLPipeline, components, negative=negative)
    assert apart(ours(components, negative=negative or ""), expected) < TOLERANCE


@PREDICTIONS
def test_sdxl_with_nine_channels(family, prediction):
    components = family(build_tiny_sdxl, inpaint=True, prediction=prediction)
    mine, named = inpainting(components)
    assert apart(ours(components, **mine), theirs(StableDiffusionXLInpaintPipeline, components, **named)) < TOLERANCE


def test_sdxl_hears_sizes_and_both_encoders(family):
    components = family(build_tiny_sdxl, inpaint=False, prediction="epsilon")
    one = components.encode_prompts("a red flower", "").positive
    assert one.embeds.shape == (1, 77, 32 + 48)
    assert one.pooled.shape == (1, 48)
    inputs = torch.ones(1, 4, 8, 8)
    plain = components.predict(ModelInputs(inputs, 500, one))
    unpooled = PromptEmbeds(one.embeds, 0 * one.pooled)
    assert not torch.equal(components.predict(ModelInputs(inputs, 500, unpooled)), plain)
    # The tiny checkpoint's native size is 64 pixels: a larger plane is said to be of that size, a smaller one is not.
    sizes = []

    class Listening:
        config = components.unet.config

        def __call__(self, *_, **said):
            sizes.append(said["added_cond_kwargs"]["time_ids"])
            return [inputs]

    listening = replace(components, unet=Listening())
    for height, width in ((8, 8), (16, 16), (16, 4), (4, 8)):
        listening.predict(ModelInputs(torch.ones(1, 4, height, width), 500, one))
    assert [said[0].tolist() for said in sizes] == [
        [64, 64, 0, 0, 64, 64],
        [64, 64, 0, 0, 64, 64],
        [128, 32, 0, 0, 128, 32],
        [32, 64, 0, 0, 32, 64],
    ]


@pytest.mark.parametrize("guidance", [1.5, 8.0])
def test_lcm_that_is_told_the_guidance(tmp_path, cpu, guidance):
    folder = build_tiny_sd1(tmp_path / "it", inpaint=False, guidance_embeds=True)
    components = load(inspect(folder), cpu, check=lambda: None)
    found = ours(components, guidance=guidance)
    assert apart(found, theirs(StableDiffusionPipeline, components, guidance=guidance)) < TOLERANCE
    assert torch.equal(found, ours(components, guidance=guidance, negative="a rock"))
    assert not torch.equal(found, ours(components, guidance=3.0))
    assert components.encode_prompts("a red flower", "").hints == ()
    assert "no negative prompt" in components.encode_prompts("a red flower", "blue").hints[0]
