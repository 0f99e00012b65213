"""Regions: a prompt counts within its mask, in any kind of job, in tiles as at once; what cannot count is said."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_z_image import build_tiny_z_image

from bridge.canvas.geometry import Rect, Size
from bridge.diffusion import DenoiseInputs, Regional
from bridge.models import ConditionUnsupported, inspect
from bridge.painter import PictureMissing, Region, ResultCache, paint
from bridge.painter.oom_guard import OomGuard
from bridge.painter.regions import place_regions
from bridge.painter.tiled_denoise import TiledDenoiser
from bridge.painter.tiling import Tiling

BOX = Rect(40, 24, 80, 80)


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph(width=160, height=128)


def asked(studio, canvas, *regions, kind="fill", prompt="a lake", **options):
    selection = studio.ellipse(canvas, BOX) if kind == "fill" else None
    request = studio.request(canvas, selection, kind=kind, prompt=prompt, steps=2, **options)
    return replace(request, regions=regions)


def everywhere(request, prompt, share=1.0, negative=""):
    return Region(prompt, negative, np.full((request.context.height, request.context.width), share, np.float32))


def right_half(request, prompt):
    region = everywhere(request, prompt, 0.0)
    region.mask[:, request.context.width // 2 :] = 1
    return region


def pixels(request, model, studio):
    return paint(request, model, studio.Hooks()).layers[0].layer.pixels


@pytest.mark.parametrize("kind", ["fill", "refine", "generate"])
@pytest.mark.parametrize("inpaint", [False, True])
def test_a_region_that_is_all_is_its_prompt_and_an_empty_one_is_none(studio, canvas, kind, inpaint):
    model = studio.model(inpaint=inpaint)
    lake, snow = (asked(studio, canvas, kind=kind, prompt=prompt) for prompt in ("a lake", "snow"))
    alone = pixels(lake, model, studio)
    assert np.array_equal(pixels(replace(snow, regions=(everywhere(snow, "a lake"),)), model, studio), alone)
    assert np.array_equal(pixels(replace(lake, regions=(everywhere(lake, "snow", 0.0),)), model, studio), alone)
    assert not np.array_equal(pixels(replace(lake, regions=(right_half(lake, "snow"),)), model, studio), alone)


def test_the_upper_region_counts(studio, canvas):
    model, lake = studio.model(), asked(studio, canvas)
    lower, upper = everywhere(lake, "fire"), everywhere(lake, "snow")
    above = replace(lake, regions=(lower, upper))
    assert np.array_equal(pixels(above, model, studio), pixels(replace(lake, regions=(upper,)), model, studio))


def test_shares_are_one_together_and_the_upper_ones_come_first(studio, canvas):
    request = asked(studio, canvas)
    rng = np.random.default_rng(4)
    masks = [rng.random((64, 64), np.float32) for _ in range(3)]
    regions = [replace(everywhere(request, "snow"), mask=mask) for mask in masks]

    class Eight:
        pixels_per_latent = 8

    placed = place_regions(regions, ["a", "b", "c"], Eight, lambda array, _: array)
    assert [one.prompt for one in placed] == ["a", "b", "c"]

    def pooled(array):
        return array.reshape(8, 8, 8, 8).mean(axis=(1, 3))

    expected = [masks[0] * (1 - masks[1]) * (1 - masks[2]), masks[1] * (1 - masks[2]), masks[2]]
    for one, share in zip(placed, expected, strict=True):
        assert np.allclose(one.share[0, 0].numpy(), pooled(share), atol=1e-6)


def test_only_regions_that_meet_the_selection_count(studio, canvas):
    """Else a fill without a prompt would be painted for what is asked for elsewhere."""
    model, lake = studio.model(), asked(studio, canvas)
    aside = everywhere(lake, "snow", 0.0)
    aside.mask[:4, :4] = 1
    assert np.array_equal(pixels(replace(lake, regions=(aside,)), model, studio), pixels(lake, model, studio))


def test_in_tiles_each_has_its_own_regions(studio):
    """Three tiles of which the first sees one prompt alone, and the last the other."""
    model = studio.model().load(lambda: None, lambda _: None)
    lake, snow = (model.encode_prompts(prompt, "") for prompt in ("a lake", "snow"))
    size = Size(20, 8)
    tiling = Tiling.of(size, 8, model.pixels_per_latent)
    assert len(tiling.tiles) == 3

    def latents(prompts, *regions):
        inputs = DenoiseInputs(
            size=size.shape, prompts=prompts, sampler="Euler", steps=1, guidance=3.0, strength=1.0, regions=regions
        )
        tiled = TiledDenoiser(model, inputs, tiling, guard=OomGuard(ResultCache()), check=lambda: None)
        return tiled.denoise(5, progress=lambda _: None, preview=lambda *_: None)

    right = torch.zeros(1, 1, *size.shape)
    right[..., 10:] = 1
    both, of_lake, of_snow = latents(lake, Regional(snow, right)), latents(lake), latents(snow)
    assert torch.equal(both[..., :4], of_lake[..., :4])
    assert torch.equal(both[..., -4:], of_snow[..., -4:])
    assert not torch.equal(of_lake[..., :4], of_snow[..., :4])
    assert not torch.equal(both, of_lake)


def test_from_five_regions_on_the_artist_is_told(studio, canvas):
    request = asked(studio, canvas, kind="refine")
    stripes = []
    for number in range(5):
        stripe = everywhere(request, f"thing {number}", 0.0)
        stripe.mask[:, number::5] = 1
        stripes.append(stripe)
    model = studio.model()
    told = paint(replace(request, regions=tuple(stripes)), model, studio.Hooks()).hints
    assert any("5 regions" in hint for hint in told)
    assert not any(
        "regions" in hint for hint in paint(replace(request, regions=(stripes[0],)), model, studio.Hooks()).hints
    )


def test_what_cannot_be_done_is_refused_before_the_weights_are_loaded(studio, canvas, tmp_path):
    request = asked(studio, canvas)
    z_image = studio.cache.on_demand(inspect(build_tiny_z_image(tmp_path / "z_image")))
    hooks = studio.Hooks()
    with pytest.raises(ConditionUnsupported, match="regions"):
        paint(replace(request, regions=(everywhere(request, "snow"),)), z_image, hooks)
    assert hooks.stages == []
    small = replace(everywhere(request, "snow"), mask=np.ones((8, 8), np.float32))
    with pytest.raises(PictureMissing, match="region's mask"):
        paint(replace(request, regions=(small,)), studio.model(), studio.Hooks())
