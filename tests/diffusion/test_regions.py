"""Prompts for parts of a plane: as attention under masks built by hand, and as one prompt alone where it is all."""

from dataclasses import replace

import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl
from tiny_flux1 import build_tiny_flux1
from tiny_flux2 import build_tiny_flux2

from bridge.diffusion import DenoiseInputs, ModelInputs, Regional, denoise, load
from bridge.diffusion.noise import seeded_noise
from bridge.models import inspect

SIZE = (16, 24)
BUILDERS = {"sd1": build_tiny_sd1, "sdxl": build_tiny_sdxl, "flux1": build_tiny_flux1, "flux2": build_tiny_flux2}


@pytest.fixture(scope="module")
def models(tmp_path_factory, cpu):
    held = {}

    def get(name):
        if name not in held:
            options = {"inpaint": False} if name.startswith("sd") else {}
            folder = BUILDERS[name](tmp_path_factory.mktemp("regions") / name, **options)
            model = load(inspect(folder), cpu, check=lambda: None)
            prompts = [model.encode_prompts(text, "grey", guided=True) for text in ("a lake", "a red flower", "snow")]
            held[name] = model, prompts
        return held[name]

    return get


def begun(model, size=SIZE):
    return seeded_noise([torch.Generator().manual_seed(7)], (model.latent_channels, *size), torch.device("cpu"))


def half(size=SIZE):
    """The right half, hard."""
    share = torch.zeros(1, 1, *size)
    share[..., size[1] // 2 :] = 1
    return share


def predicted(model, prompt, *regions, size=SIZE):
    return model.predict(ModelInputs(begun(model, size), 0.7, prompt.positive, guidance=2.0, regions=regions))


def regional(prompts, share):
    return Regional(prompts.positive, share)


def apart(one, other):
    return float((one - other).abs().max() / other.abs().max())


@pytest.mark.parametrize("name", BUILDERS)
def test_a_region_that_is_all_is_its_prompt_alone_and_one_that_is_nowhere_is_none(models, name):
    model, (lake, flower, snow) = models(name)

    def painted(common, *regions):
        inputs = DenoiseInputs(
            size=SIZE, prompts=common, sampler=model.checkpoint.card.default_sampler, steps=2, guidance=3.0,
            strength=1.0, regions=regions,
        )  # fmt: skip
        return denoise(model, inputs, [7], check=lambda: None, progress=lambda _: None, preview=lambda *_: None)[0]

    alone = painted(lake)
    assert torch.equal(painted(lake, Regional(flower, torch.zeros(1, 1, *SIZE))), alone)
    assert torch.equal(painted(flower, Regional(lake, torch.ones(1, 1, *SIZE))), alone)
    two = painted(lake, Regional(flower, half()))
    assert not torch.equal(two, alone)
    # The common prompt has what is left, whichever of both is the region.
    assert apart(painted(flower, Regional(lake, 1 - half())), two) < 1e-4
    assert apart(painted(snow, Regional(lake, 1 - half()), Regional(flower, half())), two) < 1e-4


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_a_unets_regions_of_the_same_prompt_are_that_prompt(models, name):
    model, (lake, _, _) = models(name)
    soft = torch.linspace(0, 1, SIZE[1]).expand(1, 1, *SIZE)
    assert apart(predicted(model, lake, regional(lake, soft)), predicted(model, lake)) < 1e-5


class HandBuilt:
    """diffusers' plain attention, with a boolean mask that lets each place see one prompt's tokens alone."""

    def __init__(self, size, length):
        self.size, self.length = size, length

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        if encoder_hidden_states is not None:
            right = (half(self.size) > 0.5).float()
            while right.shape[-2] * right.shape[-1] > hidden_states.shape[1]:
                right = torch.nn.functional.max_pool2d(right, 2)
            right = right.flatten().bool()[:, None]
            second = torch.arange(2 * self.length)[None] >= self.length
            attention_mask = torch.where(right == second, 0.0, -torch.inf)[None].expand(attn.heads, -1, -1)
        return AttnProcessor()(attn, hidden_states, encoder_hidden_states, attention_mask)


@pytest.mark.parametrize("name", ["sd1", "sdxl"])
def test_a_unet_attends_as_under_a_mask_built_by_hand(models, name):
    model, (lake, flower, _) = models(name)
    # Pooled states count everywhere, so that they are the same here.
    flower = replace(flower, positive=replace(flower.positive, pooled=lake.positive.pooled))
    ours = predicted(model, lake, regional(flower, half()))
    both = replace(lake.positive, embeds=torch.cat([lake.positive.embeds, flower.positive.embeds], 1))
    earlier = model.unet.attn_processors
    model.unet.set_attn_processor(HandBuilt(SIZE, lake.positive.embeds.shape[1]))
    try:
        theirs = model.predict(ModelInputs(begun(model), 0.7, both, guidance=2.0))
    finally:
        model.unet.set_attn_processor(earlier)
    assert apart(ours, theirs) < 1e-4
    assert apart(ours, predicted(model, lake)) > 1e-3


def test_flux2_attends_as_under_a_mask_built_by_hand(models):
    model, (lake, flower, _) = models("flux2")
    size, length = (2, 4), lake.positive.embeds.shape[1]
    right = half(size).flatten().bool()
    places = int(right.numel())
    # 0 and 1: text of the two prompts; 2: the picture.
    kinds = torch.tensor([0] * length + [1] * length + [2] * places)
    owner = torch.cat([kinds[: 2 * length], right.long()])
    text = kinds < 2
    sees = owner[:, None] == owner[None]
    sees[(~text)[:, None] & (~text)[None]] = True
    positions = torch.tensor([[0, row, column, 0] for row in range(size[0]) for column in range(size[1])])
    tokens = torch.tensor([[0, 0, 0, place] for place in range(length)])
    latents = begun(model, size)
    theirs = model.transformer(
        hidden_states=latents.flatten(2).transpose(1, 2),
        encoder_hidden_states=torch.cat([lake.positive.embeds, flower.positive.embeds], 1),
        timestep=torch.full((1,), 0.7),
        img_ids=positions,
        txt_ids=torch.cat([tokens, tokens]),
        joint_attention_kwargs={"attention_mask": sees[None, None]},
        return_dict=False,
    )[0]
    theirs = theirs.transpose(1, 2).reshape(latents.shape)
    ours = predicted(model, lake, regional(flower, half(size)), size=size)
    assert apart(ours, theirs) < 1e-4
    assert apart(ours, predicted(model, lake, size=size)) > 1e-3


def test_flux2s_references_belong_to_the_region_that_they_show(models):
    model, (lake, flower, _) = models("flux2")
    size = (2, 4)
    inputs = ModelInputs(
        begun(model, size), 0.7, lake.positive, mask=half(size), masked_image_latents=begun(model, size) * 0.5,
    )  # fmt: skip
    alone = model.predict(inputs)
    # Nothing but a hair's share of one latent, so nearly the prompt alone: references see as the picture does.
    share = torch.zeros(1, 1, *size)
    share[..., 0, 0] = 1e-3
    faint = model.predict(replace(inputs, regions=(regional(flower, share),)))
    assert 0 < apart(faint, alone) < 0.05


@pytest.mark.parametrize("name", ["sd1", "flux2"])
def test_a_tile_has_the_regions_that_it_meets(models, name):
    model, (lake, flower, _) = models(name)
    whole = ModelInputs(begun(model), 0.7, lake.positive, regions=(regional(flower, half()),))
    rows, left, right = slice(0, SIZE[0]), slice(0, SIZE[1] // 2), slice(SIZE[1] // 2, SIZE[1])
    scale = model.pixels_per_latent
    assert (whole.crop(rows, left, scale).prompt, whole.crop(rows, left, scale).regions) == (lake.positive, ())
    assert (whole.crop(rows, right, scale).prompt, whole.crop(rows, right, scale).regions) == (flower.positive, ())
    middle = whole.crop(rows, slice(8, 16), scale)
    assert middle.prompt is lake.positive
    assert middle.regions[0].share.mean() == 0.5
