"""The second pass of large selections: sharp, without grid, within its tiles, counted, repeatable, and bounded."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from bridge.canvas.geometry import Rect
from bridge.models import MINI, inspect
from bridge.models.memory import WHOLE
from bridge.painter import Cancelled, paint
from bridge.painter.prepare import prepare
from bridge.painter.tiled_denoise import plan_tiled_refine

NATIVE = 256 * 256
BOX = Rect(130, 100, 220, 200)


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph("lake-sherburne", width=480, height=400)


@pytest.fixture(scope="module")
def selection(studio, canvas):
    return studio.ellipse(canvas, BOX)


def asked(studio, canvas, selection, **options):
    options = {"prompt": "a red flower", "steps": 2, "native_pixels": NATIVE, **options}
    return studio.request(canvas, selection, **options)


def density_of(model, request):
    components = model.load(lambda: None)
    return plan_tiled_refine(components, prepare(request, components.checkpoint))


def denoising(hooks):
    return [entry[1:] for entry in hooks.stages if entry[0] == "denoise"]


def test_every_tile_of_every_step_is_counted_and_the_same_seed_repeats(studio, canvas, selection):
    model = studio.model(inpaint=True, size=256)
    request = asked(studio, canvas, selection, seeds=(1, 2), steps=1)
    density = density_of(model, request)
    hooks = studio.Hooks()
    painting = paint(request, model, hooks)
    total = 2 + 2 * len(density.tiling.tiles)
    assert denoising(hooks) == [(step, total) for step in range(total + 1)]
    assert list(painting.timings)[-3:] == ["denoise", "decode", "compose"]
    # While a picture is refined it is seen as it was painted.
    shape = (request.context.height, request.context.width, 3)
    assert [step for seen, step in hooks.previews if seen == shape] == [2, 2 + len(density.tiling.tiles)]
    unseen = studio.Hooks()
    paint(replace(request, previews=False), model, unseen)
    assert not unseen.previews
    assert painting.layers[0].layer.pixels.tobytes() != painting.layers[1].layer.pixels.tobytes()
    alone = paint(replace(request, seeds=(2,)), model, studio.Hooks()).layers[0]
    assert np.array_equal(alone.layer.pixels, painting.layers[1].layer.pixels)


@pytest.mark.parametrize("tile", [0, 3])
def test_cancelling_stops_at_the_next_tile(studio, canvas, selection, tile, monkeypatch):
    model = studio.model(size=256)
    request = asked(studio, canvas, selection)
    unet = model.load(lambda: None).unet
    ran, real = [], unet.forward
    monkeypatch.setattr(unet, "forward", lambda *a, **k: (ran.append(1), real(*a, **k))[1])
    hooks = studio.Hooks(lambda stages: stages[-1:] and stages[-1][:2] == ("denoise", 2 + tile))
    with pytest.raises(Cancelled):
        paint(request, model, hooks)
    assert len(ran) == 2 + tile


def test_only_tiles_under_the_layer_are_painted(studio):
    canvas = studio.photograph("lake-sherburne", width=800, height=640)
    selection = np.zeros(canvas.shape[:2], np.float32)
    selection[100:116, 40:760] = 1
    selection[100:600, 40:56] = 1
    model = studio.model(size=256)
    density = density_of(model, asked(studio, canvas, selection, grow=2.0, feather=8.0))
    assert density.window.area > 2.5 * NATIVE
    whole = density_of(model, asked(studio, canvas, np.ones_like(selection), grow=2.0, feather=8.0))
    assert 3 <= len(density.tiling.tiles) < len(whole.tiling.tiles)
    # What is beyond them is as it was, and under the layer none is missing.
    hooks = studio.Hooks()
    merged = studio.merged(
        paint(asked(studio, canvas, selection, grow=2.0, feather=8.0), model, hooks).layers[0], canvas
    )
    distance = cv2.distanceTransform((selection == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert np.array_equal(merged[distance > 10], canvas[distance > 10][:, :3])
    assert np.isfinite(merged).all()


def test_no_pass_where_it_would_not_help(studio, canvas, selection):
    small = studio.ellipse(canvas, Rect(200, 150, 60, 60))
    assert density_of(studio.model(size=256), asked(studio, canvas, small)) is None
    # Tiles of 64 px show nothing; a checkpoint that knows a few whole things would put one into each.
    assert density_of(studio.model(), asked(studio, canvas, selection)) is None
    named = studio.model(size=256, known_names=("apple",), seed=1)
    assert density_of(named, asked(studio, canvas, selection)) is None


def test_the_work_is_bounded_and_said(studio):
    canvas = studio.photograph("lake-sherburne", width=1200, height=900)
    model = studio.model(size=256)
    request = asked(studio, canvas, None, kind="refine", strength=0.02, steps=1)
    density = density_of(model, request)
    assert density.capped
    assert density.size.area <= 4.1 * NATIVE
    assert len(density.tiling.tiles) <= 12
    painting = paint(request, model, studio.Hooks())
    assert "painted at 49 % of its size" in painting.hints[-1]
    assert painting.layers[0].layer.rect == Rect(0, 0, 1200, 900)


def gradient(picture):
    luminance = picture @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return np.abs(np.diff(luminance, axis=1))[:-1] + np.abs(np.diff(luminance, axis=0))[:, :-1]


def test_tiles_leave_no_grid(studio):
    """On an even ground the texture that random weights paint is the same everywhere, so that a grid would show."""
    canvas = np.dstack([np.full((384, 400, 3), 0.5, np.float32), np.ones((384, 400), np.float32)])
    model = studio.model(size=256)
    request = asked(studio, canvas, None, kind="refine", strength=0.3, steps=4)
    density = density_of(model, request)
    scale, picture = density.tiling.scale, paint(request, model, studio.Hooks()).layers[0].layer.pixels[..., :3]
    size = (density.window.width, density.window.height)
    borders = np.zeros(density.tiling.area.shape, np.float32)
    shared = sum(
        np.pad(
            np.ones(r.size.shape),
            ((r.y, density.tiling.area.height - r.bottom), (r.x, density.tiling.area.width - r.right)),
        )
        for r in density.tiling.tiles
    )
    borders[shared > 1] = 1
    bordering = cv2.resize(borders, size, interpolation=cv2.INTER_NEAREST)[:-1, :-1] > 0
    inner = np.zeros_like(bordering)
    inner[2 * scale : -2 * scale, 2 * scale : -2 * scale] = True
    energy = gradient(picture)
    assert 0.2 < bordering.mean() < 0.8
    assert energy[bordering & inner].mean() == pytest.approx(energy[~bordering & inner].mean(), rel=0.05)


def _given(components, check, loaded):
    check()
    return components


def test_what_is_hardly_changed_stays_as_sharp(studio):
    """A trained VAE is needed here: what a random one decodes has nothing to do with what it encoded."""
    canvas = studio.photograph("lake-sherburne", width=480, height=400)
    selection = studio.ellipse(canvas, BOX)
    components = studio.cache.on_demand(inspect(MINI)).load(lambda: None)
    checkpoint = components.checkpoint
    anything = replace(components, checkpoint=replace(checkpoint, card=replace(checkpoint.card, known_names=())))
    inside = cv2.erode(selection, np.ones((9, 9)))[:-1, :-1] == 1
    sharpness = []
    for one in (components, anything):
        model = SimpleNamespace(checkpoint=one.checkpoint, load=partial(_given, one), placement=WHOLE)
        request = asked(studio, canvas, selection, kind="refine", strength=0.01)
        merged = studio.merged(paint(request, model, studio.Hooks()).layers[0], canvas)
        sharpness.append(float(gradient(merged)[inside].mean() / gradient(canvas[..., :3])[inside].mean()))
    once, twice = sharpness
    assert twice > 0.85 * once
    assert 0.6 < twice < 1.1
