"""A family unlike all others and a guide that is no ControlNet paint every kind of job, without a word about them here.

`support/toy_family.py` is all that they take: a module and a row for each.
"""

from dataclasses import replace

import numpy as np
import pytest
from job_forms import with_settings
from small_devices import APART
from toy_family import TOY, ToyGuide, build_toy, colour_of

from bridge.canvas.geometry import Rect
from bridge.diffusion import ModelCache
from bridge.models import ConditionUnsupported, SamplerUnsupported, inspect
from bridge.models.samplers import samplers_for
from bridge.painter import Cancelled, Condition, OutOfMemory, ResultCache, paint
from bridge.protocol.messages import MODES

BOX = Rect(100, 60, 120, 110)
NATIVE = 256 * 256


@pytest.fixture(scope="module")
def toy(studio, tmp_path_factory):
    return studio.cache.on_demand(inspect(build_toy(tmp_path_factory.mktemp("toy") / "toy.safetensors")))


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph(width=320, height=240)


@pytest.fixture(scope="module")
def guide(tmp_path_factory):
    path = tmp_path_factory.mktemp("guide") / "swatch.safetensors"
    path.write_bytes(b"toy")
    return ToyGuide(path)


def asked(studio, canvas, kind="fill", **options):
    selection = None if kind in ("generate", "upscale") else studio.ellipse(canvas, BOX)
    given = {"prompt": "a lake", "steps": 4, **options}
    return studio.request(canvas, selection, kind=kind, native_pixels=NATIVE, **given)


def middle(canvas):
    """Rows and columns well inside the selection."""
    return slice(BOX.y + 35, BOX.y + 75), slice(BOX.x + 40, BOX.x + 80)


def colour(model, prompt):
    return colour_of(model.load(lambda: None), prompt)


def test_it_is_told_by_its_content(toy):
    assert toy.checkpoint.family is TOY
    assert toy.checkpoint.card.default_sampler == "Euler"


@pytest.mark.parametrize("mode", MODES["fill"][1:])
def test_fills_in_every_mode(studio, toy, canvas, mode):
    request = asked(studio, canvas, mode=mode, prompt="" if mode == "remove" else "a lake")
    painting = paint(request, toy, studio.Hooks())
    merged = studio.merged(painting.layers[0], canvas)
    selection = studio.ellipse(canvas, BOX) > 0
    if mode == "background":
        inside, outside = merged[:30, :40], merged[middle(canvas)] - canvas[..., :3][middle(canvas)]
    else:
        inside, outside = merged[middle(canvas)], (merged - canvas[..., :3])[:20]
        assert not np.array_equal(merged[selection], canvas[..., :3][selection])
    assert np.abs(outside).max() == 0
    # One colour, but for what is matched to the surroundings.
    assert inside.reshape(-1, 3).std(axis=0).max() < 0.1
    assert painting.layers[0].settings.model_size.width % 16 == 0


@pytest.mark.parametrize("sampler", samplers_for(TOY.schedule))
def test_a_generated_picture_has_the_prompts_colour(studio, toy, canvas, sampler):
    for prompt in ("a lake", "red"):
        request = asked(studio, canvas, "generate", prompt=prompt, sampler=sampler)
        pixels = paint(request, toy, studio.Hooks()).layers[0].layer.pixels[..., :3]
        assert np.abs(pixels - colour(toy, prompt)).max() < 0.02
    assert np.abs(colour(toy, "a lake") - colour(toy, "red")).max() > 0.1


def test_previews_are_a_quarter_of_the_size(studio, toy, canvas):
    hooks = studio.Hooks()
    size = paint(asked(studio, canvas, "generate"), toy, hooks).layers[0].settings.model_size
    assert hooks.previews[0][0] == (size.height // 4, size.width // 4, 3)


def test_guidance_leads_away_from_the_negative_prompt(studio, toy, canvas):
    request = asked(studio, canvas, "generate", guidance=1.5, negative_prompt="red")
    pixels = paint(request, toy, studio.Hooks()).layers[0].layer.pixels[..., :3]
    # The prompts are padded to each other's length, and the shorter one is what it is alone.
    lake, red = colour(toy, "a lake"), colour(toy, "red")
    assert np.abs(pixels.mean(axis=(0, 1)) - np.clip(red + 1.5 * (lake - red), 0, 1)).max() < 0.05


def test_refines_as_far_as_the_strength_says(studio, toy, canvas):
    changes = []
    for strength in (0.2, 0.5, 0.9):
        request = asked(studio, canvas, "refine", strength=strength, steps=10)
        merged = studio.merged(paint(request, toy, studio.Hooks()).layers[0], canvas)
        assert np.array_equal(merged[:20], canvas[:20, :, :3])
        changes.append(np.abs(merged - canvas[..., :3])[middle(canvas)].mean())
    assert 0 < changes[0] < 0.9 * changes[-1]


def test_refines_a_large_selection_in_tiles(studio, toy):
    canvas = studio.photograph("lake-sherburne", width=700, height=560)
    request = studio.request(canvas, None, kind="refine", native_pixels=NATIVE, prompt="a lake", strength=0.4, steps=4)
    hooks = studio.Hooks()
    layer = paint(request, toy, hooks).layers[0].layer
    assert (layer.rect.width, layer.rect.height) == (700, 560)
    assert np.isfinite(layer.pixels).all()
    assert max(steps for name, _, steps in hooks.stages if name == "denoise") > 4


def test_upscales_in_tiles(studio, toy, canvas):
    whole = Rect(0, 0, 320, 240)
    request = with_settings(
        asked(studio, canvas, "refine", strength=0.3),
        kind="upscale", mode="upscale", context=whole, picture=canvas, selection=None, scale=2,
    )  # fmt: skip
    hooks = studio.Hooks()
    layer = paint(request, toy, hooks).layers[0].layer
    assert (layer.rect.width, layer.rect.height) == (640, 480)
    steps = max(steps for name, _, steps in hooks.stages if name == "denoise")
    tiles = max(steps for name, _, steps in hooks.stages if name == "encode")
    assert tiles > 1
    assert steps == 2 * tiles


@pytest.mark.parametrize("kind", ["fill", "upscale"])
def test_cancels_within_a_step(studio, toy, canvas, kind):
    request = asked(studio, canvas, "generate" if kind == "upscale" else kind, steps=10)
    if kind == "upscale":
        request = with_settings(request, kind=kind, mode=kind, scale=2)
    hooks = studio.Hooks(lambda stages: ("denoise", 2) in [stage[:2] for stage in stages])
    with pytest.raises(Cancelled):
        paint(request, toy, hooks)
    assert hooks.stages[-1][:2] == ("denoise", 2)


def test_pictures_of_a_batch_are_what_they_are_alone(studio, toy, canvas):
    request = asked(studio, canvas, "refine", strength=0.5, seeds=(3, 4))
    both = paint(request, toy, studio.Hooks()).layers
    for seed, painted in zip((3, 4), both, strict=True):
        alone = paint(replace(request, seeds=(seed,)), toy, studio.Hooks(), ResultCache()).layers[0]
        assert np.array_equal(alone.layer.pixels, painted.layer.pixels)


def guided(request, guide, picture, **options):
    context = request.context
    swatch = np.broadcast_to(np.float32(picture), (context.height, context.width, 3)).copy()
    return replace(request, conditions=(Condition("swatch", swatch, guide, **options),))


@pytest.mark.parametrize("kind", ["fill", "refine", "generate", "upscale"])
def test_the_guide_leads_every_kind(studio, toy, canvas, guide, kind):
    whole = kind in ("generate", "upscale")
    request = asked(studio, canvas, "generate" if whole else kind)
    if kind == "upscale":
        request = with_settings(request, kind=kind, mode=kind, scale=2)
    request = with_settings(request, strength=1.0)
    # Fine stripes: what is coarse an upscale keeps as it was.
    stripes = np.zeros((request.context.height, request.context.width, 3), np.float32)
    stripes[:, np.arange(request.context.width) % 8 < 4] = 0.1, 0.2, 0.9
    plain, heard, unheard = (
        paint(one, toy, studio.Hooks()).layers[0].layer.pixels
        for one in (request, guided(request, guide, stripes), guided(request, guide, stripes, strength=0.0))
    )
    assert np.array_equal(unheard, plain)
    assert np.abs(heard - plain).max() > 0.05


def test_the_guides_mask_range_and_strength_count(studio, toy, canvas, guide):
    request = asked(studio, canvas, "generate")
    blue = np.float32((0.1, 0.2, 0.9))
    mask = np.zeros((request.context.height, request.context.width), np.float32)
    mask[:, : request.context.width // 2] = 1
    half = paint(guided(request, guide, blue, mask=mask), toy, studio.Hooks()).layers[0].layer.pixels[..., :3]
    assert np.abs(half[:, :60] - blue).max() < 0.02
    assert np.abs(half[:, -60:] - colour(toy, "a lake")).max() < 0.02
    early = paint(guided(request, guide, blue, end=0.5), toy, studio.Hooks()).layers[0].layer.pixels[..., :3]
    assert np.abs(early - colour(toy, "a lake")).max() < 0.02
    nowhere = paint(guided(request, guide, blue, start=0.4, end=0.45), toy, studio.Hooks())
    assert any(hint.startswith("The swatch had no effect") for hint in nowhere.hints)


def test_what_does_not_fit_is_refused(studio, toy, canvas, guide, monkeypatch):
    with pytest.raises(ConditionUnsupported, match="swatch does not guide"):
        paint(guided(asked(studio, canvas), guide, (0, 0, 0)), studio.model(), studio.Hooks())
    request = guided(asked(studio, canvas), guide, (0, 0, 0))
    request = replace(request, conditions=(replace(request.conditions[0], kind="mood"),))
    with pytest.raises(ConditionUnsupported, match="cannot be guided by a mood"):
        paint(request, toy, studio.Hooks())
    with monkeypatch.context() as patch:
        patch.setattr(ToyGuide, "check_fits", lambda *_: None)
        with pytest.raises(ConditionUnsupported, match="cannot be guided by swatch"):
            paint(guided(asked(studio, canvas), guide, (0, 0, 0)), studio.model(), studio.Hooks())
    with pytest.raises(SamplerUnsupported, match="flow matching"):
        paint(asked(studio, canvas, sampler="DDIM"), toy, studio.Hooks())


def test_a_picture_as_reference_is_seen(studio, canvas, tmp_path):
    path = build_toy(tmp_path / "seeing.safetensors", variant="reference")
    model = ModelCache(studio.cache.device).on_demand(inspect(path))
    for kind, strength in (("fill", 1.0), ("refine", 0.6)):
        merged = studio.merged(
            paint(asked(studio, canvas, kind, strength=strength), model, studio.Hooks()).layers[0], canvas
        )
        assert np.array_equal(merged[:20], canvas[:20, :, :3])
        assert np.isfinite(merged).all()


def test_memory_that_runs_out_is_the_same_ladder(studio, canvas, tmp_path, monkeypatch):
    path = build_toy(tmp_path / "large.safetensors")
    model = ModelCache(APART).on_demand(inspect(path))
    request = asked(studio, canvas, "refine", strength=0.5)
    expected = paint(request, model, studio.Hooks()).layers[0].layer.pixels
    calls = []
    vae = type(model.load(lambda: None).modules["vae"])
    real = vae.encode

    def scarce(self, pixels):
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return real(self, pixels)

    with monkeypatch.context() as patch:
        patch.setattr(vae, "encode", scarce)
        assert np.array_equal(paint(request, model, studio.Hooks()).layers[0].layer.pixels, expected)
        patch.setattr(vae, "encode", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(OutOfMemory):
            paint(request, model, studio.Hooks())
