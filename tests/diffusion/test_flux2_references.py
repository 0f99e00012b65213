"""FLUX.2 Klein with references beside what it paints: as in diffusers, by strength and mask, and told by number."""

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline
from PIL import Image
from tiny_flux2 import build_tiny_flux2
from transformers import Qwen3ForCausalLM

from bridge.diffusion import DenoiseInputs, ModelInputs, WeightedConditioner, denoise, load, seeded_noise
from bridge.diffusion.conditioning.reference_tokens import ReferenceLatents, attention_bias
from bridge.models import inspect

HEIGHT, WIDTH = 64, 96
SIZE = (HEIGHT // 16, WIDTH // 16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_tiny_flux2(tmp_path_factory.mktemp("flux2") / "klein")


@pytest.fixture(scope="module")
def model(folder, cpu):
    return load(inspect(folder), cpu, check=lambda: None)


@pytest.fixture(scope="module")
def prompts(model):
    return model.encode_prompts("a red flower", "")


@pytest.fixture(scope="module")
def pictures():
    """Of two sizes."""
    numbers = np.random.default_rng(3)
    return [numbers.integers(0, 256, (*size, 3), np.uint8).astype(np.float32) / 255 for size in ((64, 80), (96, 64))]


def begun():
    return seeded_noise([torch.Generator().manual_seed(7)], (128, *SIZE), torch.device("cpu"))


def painted(model, prompts, *guides, guidance=1.0, steps=3):
    whole = DenoiseInputs(SIZE, prompts, "Euler", steps, guidance, 1.0, conditioners=guides)
    return denoise(model, whole, [7], check=lambda: None, progress=lambda _: None, preview=lambda *_: None)[0]


def half():
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[..., :48] = 1
    return mask


def test_references_are_seen_as_in_diffusers(folder, model, prompts, pictures):
    pipe = Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
        vae=model.vae,
        text_encoder=Qwen3ForCausalLM.from_pretrained(folder / "text_encoder").eval(),
        tokenizer=model.language_model.tokenizer,
        transformer=model.transformer,
    )
    pipe.set_progress_bar_config(disable=True)
    expected = pipe(
        image=[Image.fromarray((255 * one).round().astype(np.uint8)) for one in pictures], prompt="a red flower",
        height=HEIGHT, width=WIDTH, num_inference_steps=3, guidance_scale=1.0, latents=begun(),
        output_type="latent", return_dict=False,
    )[0]  # fmt: skip
    guides = [WeightedConditioner(model.reference(one, index)) for index, one in enumerate(pictures)]
    found = painted(model, prompts, *guides)
    assert float((model.statistics.unnormalized(found) - expected).abs().max()) < 1e-4
    assert float((found - painted(model, prompts)).abs().max()) > 1e-3


def test_a_mask_of_nothing_is_none_and_one_of_everything_all(model, prompts, pictures):
    guide, nothing = model.reference(pictures[0], 1), torch.zeros(1, 1, HEIGHT, WIDTH)
    plain, whole = painted(model, prompts), painted(model, prompts, WeightedConditioner(guide))
    assert torch.equal(painted(model, prompts, WeightedConditioner(guide, mask=nothing)), plain)
    assert torch.equal(painted(model, prompts, WeightedConditioner(guide, strength=0.0)), plain)
    everywhere = painted(model, prompts, WeightedConditioner(guide, mask=nothing + 1))
    assert float((everywhere - whole).abs().max()) < 1e-4


def test_its_strength_range_and_mask_count(model, prompts, pictures):
    guide = model.reference(pictures[0], 1)
    options = ({}, {"strength": 0.3}, {"strength": 2.0}, {"end": 0.5}, {"mask": half()})
    found = [painted(model, prompts, WeightedConditioner(guide, **one)) for one in options]
    for place, one in enumerate(found):
        assert all(not torch.equal(one, other) for other in found[place + 1 :])


def test_what_is_outside_its_mask_does_not_look_at_it(pictures):
    latents = torch.zeros(1, 128, 4, 3)
    bias = attention_bias([ReferenceLatents(latents, 1, 0.5, half())], words=5, grid=SIZE, before=2)[0, 0]
    assert bias.shape == (5 + 24 + 2 + 12,) * 2
    seen = bias[5:29, -12:].reshape(*SIZE, 12)
    assert (seen[:, 3:] == -torch.inf).all()
    assert torch.allclose(seen[:, :3].exp(), torch.tensor(0.5))
    # The reference itself, and all between the others, is as it was.
    assert not bias[:, :-12].any()
    assert not bias[-12:, -12:].any()
    assert attention_bias([ReferenceLatents(latents, 1)], words=5, grid=SIZE, before=2) is None


def test_a_tile_sees_all_of_it(model, prompts, pictures):
    guide = WeightedConditioner(model.reference(pictures[0], 1), mask=half())
    whole = ModelInputs(begun(), 0.7, prompts.positive, conditioners=(guide,))
    rows, columns = slice(0, 4), slice(2, 6)
    tile = whole.crop(rows, columns, 16)
    cut = WeightedConditioner(guide.conditioner, mask=half()[..., 32:96])
    alone = ModelInputs(begun()[..., rows, columns], 0.7, prompts.positive, conditioners=(cut,))
    assert torch.equal(model.predict(tile), model.predict(alone))
