"""Conditions: the picture follows, whatever the kind of job; in tiles as at once; and what cannot count is said."""

import importlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from job_forms import request_of
from tiny_checkpoints import build_tiny_sd2
from tiny_controlnets import build_tiny_controlnet, rough_drawing, train_tiny_scribble

from bridge.canvas.errors import ValueOutOfRange
from bridge.canvas.geometry import Rect, Size
from bridge.models import ConditionUnsupported, inspect, inspect_controlnet
from bridge.painter import Cancelled, Condition, OutOfMemory, PictureMissing, ResultCache, paint
from bridge.painter.prepare import prepare

filling = importlib.import_module("bridge.painter.fill")


@pytest.fixture(scope="module")
def trained(studio, tmp_path_factory):
    """A checkpoint, and a ControlNet that has learnt to have it paint dark where lines are."""
    checkpoint, folder = train_tiny_scribble(tmp_path_factory.mktemp("trained"))
    return studio.cache.on_demand(inspect(checkpoint)), inspect_controlnet(folder)


@pytest.fixture(scope="module")
def nets(studio, tmp_path_factory):
    """Gives a ControlNet of random weights for a model; None: silent ones."""
    held = {}

    def get(model, *, speaks=0.2, seed=1):
        key = (model.checkpoint.path, speaks, seed)
        if key not in held:
            folder = tmp_path_factory.mktemp("net") / "tiny_scribble"
            held[key] = inspect_controlnet(
                build_tiny_controlnet(model.checkpoint.path, folder, seed=seed, speaks=speaks)
            )
        return held[key]

    return get


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph(width=160, height=128)


def drawing(shape, seed=0, block=16):
    """(h, w, 1): blocks of lines and none."""
    rough = np.random.default_rng(seed).random((-(-shape[0] // block), -(-shape[1] // block))) > 0.5
    return np.kron(rough, np.ones((block, block)))[: shape[0], : shape[1], None].astype(np.float32)


def guided(request, net, picture=None, **options):
    size = (request.context.height, request.context.width)
    condition = Condition("scribble", drawing(size) if picture is None else picture, net, **options)
    return replace(request, conditions=(condition,))


def upscaling(canvas, **options):
    whole = Rect(0, 0, canvas.shape[1], canvas.shape[0])
    return request_of(
        kind="upscale", canvas=whole.size, context=whole, picture=canvas, selection=None, scale=2, steps=2,
        prompt="a lake", **options,
    )  # fmt: skip


def painted(request, model, hooks, results=None):
    return paint(request, model, hooks, results).layers[0].layer.pixels


def follows(pixels, lines, inside=None):
    """How well darkness follows the lines, -1..1."""
    dark = 1 - pixels[..., :3].mean(axis=2)
    inside = np.ones(dark.shape, bool) if inside is None else inside
    return float(np.corrcoef(dark[inside], lines[inside])[0, 1])


@pytest.mark.parametrize("ground", ["coverage", "paper", "clear"])
def test_a_new_picture_follows_a_scribble(trained, studio, ground):
    model, net = trained
    # At twice the size at which the model paints, and less than half of it lines.
    lines = rough_drawing(torch.Generator().manual_seed(100)).numpy().repeat(2, axis=0).repeat(2, axis=1)
    assert 0.3 < lines.mean() < 0.5
    picture = {
        "coverage": lines[..., None],
        "paper": np.repeat(1 - lines[..., None], 3, axis=2),
        "clear": np.dstack([np.full((128, 128, 3), 0.7, np.float32), lines]),
    }[ground]
    request = request_of(
        kind="generate", canvas=Size(128, 128), context=Rect(0, 0, 128, 128), picture=None, selection=None,
        prompt="a lake", steps=6,
    )  # fmt: skip
    assert follows(painted(guided(request, net, picture), model, studio.Hooks()), lines) > 0.85
    assert abs(follows(painted(request, model, studio.Hooks()), lines)) < 0.3
    faint = guided(request, net, picture, strength=0.05)
    assert abs(follows(painted(faint, model, studio.Hooks()), lines)) < 0.85


def test_a_fill_follows_a_scribble_inside_the_selection(trained, studio, canvas):
    model, net = trained
    selection = studio.ellipse(canvas, Rect(40, 24, 80, 80))
    request = studio.request(canvas, selection, prompt="a lake", steps=6, grow=0.0, feather=2.0)
    lines = drawing(request.picture.shape[:2])
    whole = np.zeros(canvas.shape[:2], np.float32)
    whole[request.context.slices] = lines[..., 0]
    inside = studio.ellipse(canvas, Rect(44, 28, 72, 72)) > 0
    with_it, without = (
        studio.merged(paint(one, model, studio.Hooks()).layers[0], canvas)
        for one in (guided(request, net, lines), request)
    )
    assert follows(with_it, whole, inside) > follows(without, whole, inside) + 0.4
    assert np.array_equal(with_it[selection_beyond(selection)], canvas[..., :3][selection_beyond(selection)])


def selection_beyond(selection):
    return cv2.distanceTransform((selection == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > 3


@pytest.mark.parametrize("inpaint", [False, True])
@pytest.mark.parametrize("kind", ["fill", "refine", "generate", "upscale"])
def test_every_kind_hears_it_and_strength_0_and_silence_are_as_without(studio, canvas, nets, kind, inpaint):
    model = studio.model(inpaint=inpaint, size=256)
    if kind == "upscale":
        canvas = canvas[:64, :80]
        request = upscaling(canvas, strength=0.6)
    else:
        selection = studio.ellipse(canvas, Rect(40, 24, 80, 80))
        strength = 0.6 if kind == "refine" else 1.0
        request = studio.request(canvas, selection, kind=kind, strength=strength, steps=2, prompt="a lake")
    plain = painted(request, model, studio.Hooks())
    heard = painted(guided(request, nets(model)), model, studio.Hooks())
    assert np.abs(heard - plain).max() > 0.01
    assert np.array_equal(painted(guided(request, nets(model), strength=0.0), model, studio.Hooks()), plain)
    assert np.array_equal(painted(guided(request, nets(model, speaks=0.0)), model, studio.Hooks()), plain)
    assert np.array_equal(painted(guided(request, nets(model)), model, studio.Hooks()), heard)


def test_a_label_map_is_shown_in_its_own_colours(studio, nets, monkeypatch):
    model = studio.model()
    canvas = studio.photograph(width=150, height=110)
    request = studio.request(canvas, None, kind="refine", strength=0.5, steps=2, prompt="a lake")
    colours = np.float32([[4, 200, 3], [6, 230, 230], [61, 230, 250]]) / 255
    labels = colours[np.random.default_rng(0).integers(0, 3, (110, 150))]
    net, shown = nets(model), []
    listen(model, net, monkeypatch, shown)
    paint(replace(request, conditions=(Condition("label_map", labels, net),)), model, studio.Hooks())
    picture = shown[0][0].permute(1, 2, 0).numpy()
    assert picture.shape == (*request_model_size(request, model), 3)
    assert (picture[:, :, None] == colours).all(axis=-1).any(axis=-1).all()


def request_model_size(request, model):
    return prepare(request, model.checkpoint).plan.model_size.shape


def listen(model, net, monkeypatch, shown):
    # The checkpoint first: what it has to make room for takes ControlNets along.
    model.load(lambda: None)
    loaded = model.guides([net], lambda: None)[0]
    real = loaded.forward

    def forward(*args, **options):
        shown.append(options["controlnet_cond"])
        return real(*args, **options)

    monkeypatch.setattr(loaded, "forward", forward)


def test_the_second_pass_shows_each_tile_its_part(studio, nets, monkeypatch):
    model = studio.model(size=256)
    canvas = studio.photograph("lake-sherburne", width=480, height=400)
    request = studio.request(
        canvas, None, kind="refine", strength=0.1, steps=1, prompt="a lake", native_pixels=256 * 256
    )
    lines = drawing((400, 480), block=20)
    net, shown = nets(model), []
    listen(model, net, monkeypatch, shown)
    hooks = studio.Hooks()
    paint(guided(request, net, lines), model, hooks)
    (first, *tiles), total = shown, next(entry[2] for entry in hooks.stages if entry[0] == "denoise")
    assert first.shape[-2:] != (256, 256)
    assert len(tiles) == total - 1 >= 4
    assert {tuple(tile.shape[-2:]) for tile in tiles} == {(256, 256)}
    # At the canvas's density: the drawing's own pixels.
    assert np.array_equal(tiles[0][0, 0].numpy(), lines[:256, :256, 0])
    assert np.array_equal(tiles[-1][0, 0].numpy(), lines[-256:, -256:, 0])


def test_an_upscale_shows_each_tile_its_part(studio, nets):
    """What is drawn in one corner changes nothing in tiles that do not reach there."""
    model = studio.model(size=256)
    canvas = studio.photograph("lake-sherburne", width=300, height=100)
    request, net = upscaling(canvas, strength=0.4), nets(model, speaks=1.0)
    lines = drawing((100, 300))
    other = lines.copy()
    other[:40, :40] = 1 - other[:40, :40]
    one, two = (painted(guided(request, net, picture), model, studio.Hooks()) for picture in (lines, other))
    assert np.abs(one - two)[:80, :80].max() > 0.0001
    assert np.abs(one - two)[:, 440:].max() < 1e-5


def test_a_mask_says_where_it_counts(studio, canvas, nets):
    model = studio.model()
    request = studio.request(canvas, None, kind="refine", strength=0.5, steps=2, prompt="a lake")
    shape = canvas.shape[:2]
    plain, whole = painted(request, model, studio.Hooks()), painted(guided(request, nets(model)), model, studio.Hooks())
    nowhere = guided(request, nets(model), mask=np.zeros(shape, np.float32))
    everywhere = guided(request, nets(model), mask=np.ones(shape, np.float32))
    assert np.array_equal(painted(nowhere, model, studio.Hooks()), plain)
    assert np.abs(painted(everywhere, model, studio.Hooks()) - whole).max() < 1e-4


def test_another_condition_paints_anew_what_is_kept(studio, canvas, nets, monkeypatch):
    model, results = studio.model(), ResultCache()
    selection = studio.ellipse(canvas, Rect(40, 24, 80, 80))
    request = studio.request(canvas, selection, prompt="a lake", steps=2)
    ran, real = [], filling.infill
    monkeypatch.setattr(filling, "infill", lambda *a: (ran.append(1), real(*a))[1])
    variants = [
        request,
        guided(request, nets(model)),
        guided(request, nets(model), drawing(request.picture.shape[:2], 5)),
    ]
    first = [painted(one, model, studio.Hooks(), results) for one in variants]
    assert len(ran) == 1
    assert not any(np.array_equal(first[a], first[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    for one, pixels in zip(variants, first, strict=True):
        assert np.array_equal(painted(one, model, studio.Hooks(), results), pixels)
        assert np.array_equal(painted(one, model, studio.Hooks()), pixels)


def test_what_counts_nowhere_is_said(studio, canvas, nets):
    model = studio.model()
    request = studio.request(canvas, None, kind="refine", strength=0.5, steps=4, prompt="a lake")
    unheard = guided(request, nets(model), start=0.6, end=0.9)
    painting = paint(unheard, model, studio.Hooks())
    assert "none of the 2 steps" in painting.hints[-1]
    assert np.array_equal(painting.layers[0].layer.pixels, painted(request, model, studio.Hooks()))
    assert not any("no effect" in hint for hint in paint(guided(request, nets(model)), model, studio.Hooks()).hints)
    closing = studio.model(empty_prompt="infill")
    selection = studio.ellipse(canvas, Rect(40, 24, 80, 80))
    silent = guided(studio.request(canvas, selection), nets(closing))
    assert any("conditions had no effect" in hint for hint in paint(silent, closing, studio.Hooks()).hints)


def test_what_does_not_fit_is_refused_before_any_work(studio, canvas, nets, tmp_path):
    model = studio.model()
    request = studio.request(canvas, None, kind="refine", strength=0.5, steps=2, prompt="a lake")
    other = studio.cache.on_demand(inspect(build_tiny_sd2(tmp_path / "sd2", inpaint=False)))
    hooks = studio.Hooks()
    with pytest.raises(ConditionUnsupported, match="was made for Stable Diffusion 2"):
        paint(guided(request, nets(other)), model, hooks)
    with pytest.raises(PictureMissing, match="condition"):
        paint(guided(request, nets(model), drawing((10, 10))), model, hooks)
    with pytest.raises(PictureMissing, match="condition"):
        paint(guided(request, nets(model), mask=np.ones((10, 10), np.float32)), model, hooks)
    for wrong in ({"strength": 2.5}, {"strength": float("nan")}, {"start": 0.7, "end": 0.5}, {"end": 1.5}):
        with pytest.raises(ValueOutOfRange):
            paint(guided(request, nets(model), **wrong), model, hooks)
    assert hooks.stages == []


def test_memory_that_runs_out_once_is_tried_again(studio, canvas, nets, monkeypatch):
    model = studio.model()
    request = guided(studio.request(canvas, None, kind="refine", strength=0.5, steps=2, prompt="a lake"), nets(model))
    expected = painted(request, model, studio.Hooks())
    model.load(lambda: None)
    loaded = model.guides([nets(model)], lambda: None)[0]
    real, calls, failing = loaded.forward, [], [1]

    def scarce(*args, **options):
        calls.append(1)
        if len(calls) <= failing[0]:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(*args, **options)

    monkeypatch.setattr(loaded, "forward", scarce)
    assert np.array_equal(painted(request, model, studio.Hooks()), expected)
    failing[0] = 1000
    with pytest.raises(OutOfMemory):
        paint(request, model, studio.Hooks())


def test_loading_one_can_be_cancelled(studio, canvas, nets):
    model = studio.model()
    request = guided(studio.request(canvas, None, kind="refine", strength=0.5, steps=2, prompt="a lake"), nets(model))
    studio.cache.evict_unused()
    model.load(lambda: None)
    hooks = studio.Hooks(lambda stages: stages[-1:] == [("load", 0, 3)])
    with pytest.raises(Cancelled):
        paint(request, model, hooks)
    assert hooks.stages == [("load", 0, 3)]


def test_ones_that_no_job_uses_make_room_when_memory_runs_out(studio, canvas, nets, monkeypatch):
    model = studio.model()
    request = studio.request(canvas, None, kind="refine", strength=0.5, steps=2, prompt="a lake")
    paint(guided(request, nets(model)), model, studio.Hooks())
    used = model.guides([nets(model)], lambda: None)[0]
    real, calls = model.load(lambda: None).unet.forward, []

    def scarce(*args, **options):
        calls.append(1)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(*args, **options)

    monkeypatch.setattr(model.load(lambda: None).unet, "forward", scarce)
    # With memory enough it stays, for the next job that uses it; and one that the job itself uses stays anyway.
    paint(guided(request, nets(model)), model, studio.Hooks())
    assert model.guides([nets(model)], lambda: None)[0] is used
    calls.clear()
    paint(request, model, studio.Hooks())
    assert len(calls) > 1
    assert model.guides([nets(model)], lambda: None)[0] is not used
