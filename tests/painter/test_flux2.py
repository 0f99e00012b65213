"""FLUX.2 Klein paints every kind of job: outside the layer not a pixel differs, and nothing leaks from under a mask."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from job_forms import with_settings
from tiny_flux2 import build_tiny_flux2, build_tiny_flux2_lora

from bridge.canvas.geometry import Rect
from bridge.diffusion import ModelInputs, WeightedLora
from bridge.diffusion.architectures.flux2 import Flux2Model
from bridge.models import inspect, inspect_lora
from bridge.painter import Cancelled, ResultCache, paint
from bridge.protocol.messages import MODES

NATIVE = 128 * 128
BOX = Rect(50, 40, 46, 42)


@pytest.fixture(scope="module")
def klein(studio, tmp_path_factory):
    folder = build_tiny_flux2(tmp_path_factory.mktemp("flux2") / "klein", size=128)
    return studio.cache.on_demand(inspect(folder))


@pytest.fixture(scope="module")
def canvas(studio):
    """Of odd edges."""
    return studio.photograph(width=151, height=117)


def asked(studio, canvas, kind="fill", **options):
    selection = None if kind in ("generate", "upscale") else studio.ellipse(canvas, BOX)
    given = {"prompt": "a lake", "steps": 2, **options}
    return studio.request(canvas, selection, kind=kind, native_pixels=NATIVE, **given)


# Prompts are the same in most tests, and their 512 tokens take longest.
RESULTS = ResultCache()


def painted(request, model, hooks, results=RESULTS):
    return paint(request, model, hooks, results).layers


def untouched(studio, layer, canvas):
    """Whether the canvas under it shows through bit by bit wherever the layer's alpha is 0."""
    alpha = studio.on_canvas(layer, canvas)[..., 3]
    return alpha.max() > 0 and np.array_equal(studio.merged(layer, canvas)[alpha == 0], canvas[..., :3][alpha == 0])


@pytest.mark.parametrize("mode", MODES["fill"][1:])
def test_fills_in_every_mode(studio, klein, canvas, mode):
    request = asked(studio, canvas, mode=mode, prompt="" if mode == "remove" else "a lake")
    (layer,) = painted(request, klein, studio.Hooks())
    selection = studio.ellipse(canvas, BOX) > 0
    within = ~selection if mode == "background" else selection
    merged = studio.merged(layer, canvas)
    assert untouched(studio, layer, canvas)
    assert np.abs(merged - canvas[..., :3])[within].mean() > 0.01
    assert np.isfinite(layer.layer.pixels).all()
    assert layer.settings.model_size.width % 16 == layer.settings.model_size.height % 16 == 0


@pytest.mark.parametrize("size", [(37, 51), (64, 48), (101, 77), (333, 250)])
def test_odd_canvases(studio, klein, size):
    canvas = studio.photograph(width=size[0], height=size[1])
    box = Rect(size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2)
    request = studio.request(
        canvas, studio.ellipse(canvas, box), native_pixels=NATIVE, prompt="a lake", steps=1, mode="fill"
    )
    (layer,) = painted(request, klein, studio.Hooks())
    assert untouched(studio, layer, canvas)


def test_the_same_seed_paints_the_same(studio, klein, canvas):
    request = asked(studio, canvas, mode="fill", seeds=(3, 4))
    both = painted(request, klein, studio.Hooks())
    for seed, layer in zip((3, 4), both, strict=True):
        (alone,) = painted(replace(request, seeds=(seed,)), klein, studio.Hooks(), ResultCache())
        assert np.array_equal(alone.layer.pixels, layer.layer.pixels)
    assert not np.array_equal(both[0].layer.pixels, both[1].layer.pixels)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("fill", "fill"), ("fill", "add"), ("fill", "remove"), ("fill", "background"), ("refine", "refine")],
)
def test_what_is_under_a_hard_mask_does_not_leak(studio, klein, canvas, monkeypatch, kind, mode):
    """Neither into the reference nor, at full strength, by any other way."""
    selection = np.zeros(canvas.shape[:2], np.float32)
    selection[40:88, 48:96] = 1
    repainted = selection == 0 if mode == "background" else selection > 0
    seen = []

    def predict(self, inputs):
        seen.append((inputs.masked_image_latents, inputs.mask))
        return real(self, inputs)

    real = Flux2Model.predict
    monkeypatch.setattr(Flux2Model, "predict", predict)
    layers = []
    for hidden in (canvas[..., :3], 1 - canvas[..., :3]):
        other = canvas.copy()
        other[repainted, :3] = hidden[repainted]
        request = studio.request(
            other, selection, kind=kind, mode=mode, native_pixels=NATIVE, prompt="a lake", steps=1, strength=1.0,
            grow=0, feather=0,
        )  # fmt: skip
        layers.append(painted(request, klein, studio.Hooks(), ResultCache())[0].layer.pixels)
    (latents, mask), (other_latents, _) = seen
    assert torch.equal(latents, other_latents)
    assert bool((mask == 0).any())
    assert bool((mask == 1).any())
    if kind == "fill":
        assert np.array_equal(layers[0], layers[1])


def test_an_outpainting_lora_is_shown_green_where_it_paints(studio, canvas, tmp_path, monkeypatch):
    folder = build_tiny_flux2(tmp_path / "klein", size=128)
    lora = inspect_lora(build_tiny_flux2_lora(folder, tmp_path / "klein-outpaint.safetensors", layout="diffusers"))
    seen = []
    real = Flux2Model.encode

    def encode(self, rgb):
        seen.append(rgb)
        return real(self, rgb)

    request = asked(studio, canvas, mode="fill", steps=1)
    results = ResultCache()
    layers = []
    for loras in ((), (WeightedLora(lora, 0.8),)):
        model = studio.cache.on_demand(inspect(folder), loras=loras)
        with monkeypatch.context() as patch:
            patch.setattr(Flux2Model, "encode", encode)
            layers.append(painted(request, model, studio.Hooks(), results)[0].layer)
    first_guess, marked, again = seen
    green = (marked == np.float32((0, 1, 0))).all(axis=2)
    assert np.array_equal(first_guess, again)
    assert np.array_equal(marked[~green], first_guess[~green])
    assert 0.05 < green.mean() < 0.5
    assert not np.array_equal(layers[0].pixels, layers[1].pixels)
    # All of its tokens are looked at.
    loaded = model.load(lambda: None)
    looked_at = []
    loaded.transformer.register_forward_pre_hook(
        lambda _, __, said: looked_at.append(said["hidden_states"].shape[1]), with_kwargs=True
    )
    plane = torch.zeros(1, 128, 4, 4)
    prompt = loaded.encode_prompts("a rock", "", guided=False).positive
    loaded.predict(ModelInputs(plane, 0.5, prompt, mask=torch.ones(1, 1, 4, 4), masked_image_latents=plane))
    assert looked_at == [2 * 16]


@pytest.mark.parametrize(("kind", "times"), [("fill", 1), ("refine", 2)])
def test_a_picture_that_is_reference_and_beginning_is_encoded_once(studio, klein, canvas, monkeypatch, kind, times):
    calls = []
    real = Flux2Model.encode
    monkeypatch.setattr(Flux2Model, "encode", lambda self, rgb: calls.append(1) or real(self, rgb))
    painted(asked(studio, canvas, kind, mode=kind, steps=1, strength=1.0), klein, studio.Hooks(), ResultCache())
    # What is refined is hidden in the reference.
    assert len(calls) == times


def test_what_is_around_is_looked_at(studio, klein, canvas):
    """The reference counts: another picture around the mask paints another one within, far from it too."""
    request = asked(studio, canvas, mode="fill", strength=1.0)
    changed = request.picture.copy()
    changed[:8] = 1 - changed[:8]
    changed[..., 3] = 1
    one, other = (
        painted(each, klein, studio.Hooks(), ResultCache())[0].layer.pixels
        for each in (request, replace(request, picture=changed))
    )
    assert not np.array_equal(one, other)


def test_refines_as_far_as_the_strength_says(studio, klein, canvas):
    changes = []
    for strength in (0.2, 0.9):
        request = asked(studio, canvas, "refine", strength=strength, steps=5)
        (layer,) = painted(request, klein, studio.Hooks())
        assert untouched(studio, layer, canvas)
        changes.append(np.abs(studio.merged(layer, canvas) - canvas[..., :3]).mean())
    assert 0 < changes[0] < changes[1]


def test_generates_with_previews(studio, klein, canvas):
    hooks = studio.Hooks()
    (layer,) = painted(asked(studio, canvas, "generate"), klein, hooks)
    # Without what the model paints beyond the canvas.
    assert hooks.previews[0][0] == (round(117 / 4), round(151 / 4), 3)
    (other,) = painted(asked(studio, canvas, "generate", prompt="a red flower"), klein, studio.Hooks())
    assert not np.array_equal(layer.layer.pixels, other.layer.pixels)


def test_refines_a_large_selection_in_tiles(studio, tmp_path):
    klein = studio.cache.on_demand(inspect(build_tiny_flux2(tmp_path / "large", size=256)))
    canvas = studio.photograph("lake-sherburne", width=601, height=447)
    selection = studio.ellipse(canvas, Rect(90, 60, 420, 330))
    request = studio.request(
        canvas, selection, kind="fill", mode="fill", native_pixels=256 * 256, prompt="a lake", steps=2
    )
    hooks = studio.Hooks()
    (layer,) = painted(request, klein, hooks)
    assert untouched(studio, layer, canvas)
    assert max(steps for name, _, steps in hooks.stages if name == "denoise") > 2


def test_upscales_in_tiles(studio, klein, canvas):
    request = with_settings(
        asked(studio, canvas, "refine", strength=0.5),
        kind="upscale", mode="upscale", context=Rect(0, 0, 151, 117), picture=canvas, selection=None, scale=2,
    )  # fmt: skip
    (layer,) = painted(request, klein, studio.Hooks())
    assert (layer.layer.rect.width, layer.layer.rect.height) == (302, 234)
    assert np.isfinite(layer.layer.pixels).all()


def test_cancels_within_a_step(studio, klein, canvas):
    hooks = studio.Hooks(lambda stages: ("denoise", 2) in [stage[:2] for stage in stages])
    with pytest.raises(Cancelled):
        paint(asked(studio, canvas, steps=6), klein, hooks)
    assert hooks.stages[-1][:2] == ("denoise", 2)


@pytest.mark.parametrize(
    ("steps", "guidance", "told"), [(2, 1.0, "fewer than 8 steps"), (8, 1.0, "that could be kept")]
)
def test_where_fast_changes_nothing_a_hint_says_so(studio, klein, canvas, steps, guidance, told):
    request = asked(studio, canvas, "generate", steps=steps, guidance=guidance, fast=True)
    hints = paint(request, klein, studio.Hooks(), RESULTS).hints
    assert [told in hint for hint in hints if hint.startswith("Fast")] == [True]
