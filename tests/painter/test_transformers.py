"""Families of transformers paint every kind of job: outside the layer not a pixel differs, at odd sizes too."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from job_forms import with_settings
from tiny_flux1 import build_tiny_flux1
from tiny_z_image import build_tiny_z_image

from bridge.canvas.geometry import Rect
from bridge.models import inspect
from bridge.painter import Cancelled, ResultCache, paint
from bridge.protocol.messages import MODES

NATIVE = 128 * 128
BOX = Rect(50, 40, 46, 42)
BUILDERS = {
    "Z-Image Turbo": build_tiny_z_image,
    "FLUX.1 dev": build_tiny_flux1,
    "FLUX.1 schnell": partial(build_tiny_flux1, kind="schnell"),
    "FLUX.1 Fill": partial(build_tiny_flux1, kind="fill"),
}


@pytest.fixture(scope="module", params=BUILDERS)
def model(request, studio, tmp_path_factory):
    folder = BUILDERS[request.param](tmp_path_factory.mktemp("transformer") / "tiny", size=128)
    return studio.cache.on_demand(inspect(folder))


@pytest.fixture(scope="module")
def canvas(studio):
    """Of odd edges."""
    return studio.photograph(width=151, height=117)


def asked(studio, canvas, kind="fill", **options):
    selection = None if kind in ("generate", "upscale") else studio.ellipse(canvas, BOX)
    given = {"prompt": "a lake", "steps": 2, **options}
    return studio.request(canvas, selection, kind=kind, native_pixels=NATIVE, **given)


def painted(request, model, hooks):
    return paint(request, model, hooks, ResultCache()).layers


def untouched(studio, layer, canvas):
    """Whether the canvas under it shows through bit by bit wherever the layer's alpha is 0."""
    alpha = studio.on_canvas(layer, canvas)[..., 3]
    return alpha.max() > 0 and np.array_equal(studio.merged(layer, canvas)[alpha == 0], canvas[..., :3][alpha == 0])


@pytest.mark.parametrize("mode", MODES["fill"][1:])
def test_fills_in_every_mode(studio, model, canvas, mode):
    request = asked(studio, canvas, mode=mode, prompt="" if mode == "remove" else "a lake")
    (layer,) = painted(request, model, studio.Hooks())
    selection = studio.ellipse(canvas, BOX) > 0
    within = ~selection if mode == "background" else selection
    assert untouched(studio, layer, canvas)
    assert np.abs(studio.merged(layer, canvas) - canvas[..., :3])[within].mean() > 0.01
    assert np.isfinite(layer.layer.pixels).all()
    assert layer.settings.model_size.width % 16 == layer.settings.model_size.height % 16 == 0


@pytest.mark.parametrize("size", [(37, 51), (64, 48), (101, 77), (333, 250)])
def test_odd_canvases(studio, model, size):
    canvas = studio.photograph(width=size[0], height=size[1])
    box = Rect(size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2)
    request = studio.request(
        canvas, studio.ellipse(canvas, box), native_pixels=NATIVE, prompt="a lake", steps=1, mode="fill"
    )
    (layer,) = painted(request, model, studio.Hooks())
    assert untouched(studio, layer, canvas)


def test_the_same_seed_paints_the_same(studio, model, canvas):
    request = asked(studio, canvas, mode="fill", seeds=(3, 4))
    both = painted(request, model, studio.Hooks())
    for seed, layer in zip((3, 4), both, strict=True):
        (alone,) = painted(replace(request, seeds=(seed,)), model, studio.Hooks())
        assert np.array_equal(alone.layer.pixels, layer.layer.pixels)
    assert not np.array_equal(both[0].layer.pixels, both[1].layer.pixels)


def test_what_is_under_a_hard_mask_does_not_leak(studio, model, canvas):
    selection = np.zeros(canvas.shape[:2], np.float32)
    selection[40:88, 48:96] = 1
    layers = []
    for hidden in (canvas[..., :3], 1 - canvas[..., :3]):
        other = canvas.copy()
        other[selection > 0, :3] = hidden[selection > 0]
        request = studio.request(
            other, selection, mode="fill", native_pixels=NATIVE, prompt="a lake", steps=1, grow=0, feather=0
        )
        layers.append(painted(request, model, studio.Hooks())[0].layer.pixels)
    assert np.array_equal(*layers)


def test_refines_as_far_as_the_strength_says(studio, model, canvas):
    changes = []
    for strength in (0.2, 0.9):
        request = asked(studio, canvas, "refine", strength=strength, steps=5)
        (layer,) = painted(request, model, studio.Hooks())
        assert untouched(studio, layer, canvas)
        changes.append(np.abs(studio.merged(layer, canvas) - canvas[..., :3]).mean())
    assert 0 < changes[0] < changes[1]


def test_generates_with_previews_by_the_prompt_and_the_negative_one(studio, model, canvas):
    hooks = studio.Hooks()
    request = asked(studio, canvas, "generate", guidance=3.0)
    (layer,) = painted(request, model, hooks)
    # Without what the model paints beyond the canvas.
    assert hooks.previews[0][0] == (round(117 / 4), round(151 / 4), 3)
    told_guidance = model.load(lambda: None).guidance_embeds
    for options, without_effect in (({"prompt": "a red flower"}, False), ({"negative_prompt": "blue"}, told_guidance)):
        (other,) = painted(asked(studio, canvas, "generate", guidance=3.0, **options), model, studio.Hooks())
        assert np.array_equal(layer.layer.pixels, other.layer.pixels) == without_effect


@pytest.mark.parametrize("model", ["Z-Image Turbo", "FLUX.1 Fill"], indirect=True)
def test_refines_a_large_selection_in_tiles(studio, model):
    canvas = studio.photograph("lake-sherburne", width=601, height=447)
    card = replace(model.checkpoint.card, native_pixels=256 * 256)
    model = replace(model, checkpoint=replace(model.checkpoint, card=card))
    selection = studio.ellipse(canvas, Rect(90, 60, 420, 330))
    request = studio.request(canvas, selection, mode="fill", native_pixels=256 * 256, prompt="a lake", steps=1)
    hooks = studio.Hooks()
    (layer,) = painted(request, model, hooks)
    assert untouched(studio, layer, canvas)
    assert max(steps for name, _, steps in hooks.stages if name == "denoise") > 1


def test_upscales_in_tiles(studio, model, canvas):
    request = with_settings(
        asked(studio, canvas, "refine", strength=0.5),
        kind="upscale", mode="upscale", context=Rect(0, 0, 151, 117), picture=canvas, selection=None, scale=2,
    )  # fmt: skip
    (layer,) = painted(request, model, studio.Hooks())
    assert (layer.layer.rect.width, layer.layer.rect.height) == (302, 234)
    assert np.isfinite(layer.layer.pixels).all()


def test_cancels_within_a_step(studio, model, canvas):
    hooks = studio.Hooks(lambda stages: ("denoise", 2) in [stage[:2] for stage in stages])
    with pytest.raises(Cancelled):
        paint(asked(studio, canvas, steps=6), model, hooks)
    assert hooks.stages[-1][:2] == ("denoise", 2)
