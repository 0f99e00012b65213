"""What is particular to a kind of job: the infill as result, hints, refining everything, generating from nothing."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from job_forms import made_with, request_of, with_settings

from bridge.canvas.geometry import Rect, Size
from bridge.models import MINI, inspect
from bridge.painter import paint

BOX = Rect(200, 110, 80, 60)
NAMES = ("apple", "red heart")


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph("lake-sherburne")


@pytest.fixture(scope="module")
def selection(studio, canvas):
    return studio.ellipse(canvas, BOX)


@pytest.fixture(scope="module")
def small(studio):
    """A checkpoint with a card like mini's."""
    return studio.model(inpaint=True, empty_prompt="infill", known_names=NAMES)


@pytest.mark.parametrize("mode", ["fill", "remove"])
def test_empty_prompt_is_the_infill_and_loads_nothing(studio, hooks, canvas, selection, small, mode):
    painting = paint(studio.request(canvas, selection, mode=mode, prompt="  "), small, hooks)
    assert list(painting.timings) == ["infill", "compose"]
    assert painting.hints == ()
    assert made_with(painting.layers[0])["steps"] is None
    assert made_with(painting.layers[0])["model_width"] == 0


def outline_steps(picture, selection):
    """Mean difference of luminance between neighbours, in levels of 255: across the selection's outline, and across
    the contours up to 8 px inside and outside of it.
    """
    luminance = picture @ np.array([0.2126, 0.7152, 0.0722], np.float32) * 255
    signed = cv2.distanceTransform((selection > 0).astype(np.uint8), cv2.DIST_L2, 5)
    signed -= cv2.distanceTransform((selection == 0).astype(np.uint8), cv2.DIST_L2, 5)

    def step(level):
        inside = (signed > level).astype(np.float32)
        pairs = [np.abs(np.diff(luminance, axis=axis))[np.diff(inside, axis=axis) != 0] for axis in (0, 1)]
        return float(np.concatenate(pairs).mean())

    return step(0), float(np.mean([step(level) for level in (-8, -6, -4, 4, 6, 8)]))


@pytest.mark.parametrize("name", ["canyon-wren", "lake-sherburne", "extreme-desert-hike"])
def test_infill_leaves_no_seam(studio, hooks, small, name):
    canvas = studio.photograph(name)
    selection = studio.ellipse(canvas, BOX)
    painted = paint(studio.request(canvas, selection, mode="remove"), small, hooks).layers[0]
    merged = studio.merged(painted, canvas)
    contour = (studio.on_canvas(painted, canvas)[..., 3] > 0.5).astype(np.float32)
    for outline in (selection, contour):
        across, nearby = outline_steps(merged, outline)
        assert across < 1.2 * max(nearby, outline_steps(canvas[..., :3], outline)[0]) + 0.5
    # It keeps the photograph's grain: a blur would have lost it.
    inside = selection == 1
    sharpness = [
        float(np.abs(cv2.Laplacian(p.astype(np.float32), -1))[inside].mean()) for p in (merged, canvas[..., :3])
    ]
    assert sharpness[0] > 0.4 * sharpness[1]


def test_expanding_without_a_prompt_covers_what_was_transparent(studio, hooks, canvas, small):
    picture = canvas.copy()
    picture[:, 400:] = 0
    selection = np.zeros(canvas.shape[:2], np.float32)
    selection[:, 400:] = 1
    painted = paint(studio.request(picture, selection, prompt=""), small, hooks).layers[0]
    assert made_with(painted)["mode"] == "expand"
    layer = studio.on_canvas(painted, picture)
    assert np.all(layer[:, 400:, 3] == 1)
    assert np.abs(layer[:, 410:, :3].mean(axis=(0, 1)) - canvas[:, 300:400, :3].mean(axis=(0, 1))).max() < 0.15
    assert layer[:, 410:, :3].std() > 0.02


def test_hints_of_an_infill(studio, hooks, canvas, selection, small):
    request = studio.request(canvas, selection, mode="add", strength=0.5, seeds=(1, 2))
    hints = " ".join(paint(request, small, hooks).hints)
    for word in ("name a thing", "strength", "seed"):
        assert word in hints


@pytest.mark.parametrize(
    ("prompt", "known"),
    [("an Apple", True), ("two apples", True), ("a red heart!", True), ("a dragon", False), ("pineapple", False)],
)
@pytest.mark.parametrize("kind", ["fill", "refine", "generate"])
def test_unknown_names_are_hinted_at(studio, hooks, canvas, selection, small, kind, prompt, known):
    hints = paint(studio.request(canvas, selection, kind=kind, prompt=prompt, steps=1), small, hooks).hints
    assert ("add a checkpoint for more" in " ".join(hints)) is not known
    if not known:
        assert "knows apple, red heart;" in hints[0]


def test_prompt_too_long_and_negative_prompt_at_guidance_one(studio, hooks, canvas, selection):
    request = studio.request(canvas, selection, prompt="red " * 80, negative_prompt="sky", guidance=1.0, steps=1)
    hints = " ".join(paint(request, studio.model(places=16), hooks).hints)
    assert "too long" in hints
    assert "no effect at guidance 1" in hints


@pytest.mark.parametrize("inpaint", [False, True])
def test_refine_without_a_selection_is_the_whole_canvas(studio, hooks, canvas, inpaint):
    painted = paint(
        studio.request(canvas, None, kind="refine", strength=0.2, prompt="a lake"), studio.model(inpaint=inpaint), hooks
    ).layers[0]
    assert painted.layer.rect == Rect(0, 0, 480, 320)
    assert np.all(painted.layer.pixels[..., 3] == 1)


def test_refine_keeps_more_at_less_strength(studio, hooks, canvas, selection):
    mini = studio.cache.on_demand(inspect(MINI))
    changes = []
    for strength in (0.01, 0.3, 1.0):
        request = studio.request(
            canvas,
            selection,
            kind="refine",
            strength=strength,
            prompt="strawberry",
            steps=6,
            native_pixels=mini.checkpoint.card.native_pixels,
        )
        merged = studio.merged(paint(request, mini, hooks).layers[0], canvas)
        changes.append(float(np.abs(merged - canvas[..., :3])[selection == 1].mean()))
    assert changes == sorted(changes)
    assert changes[0] < 0.04
    assert changes[-1] > 2 * changes[0]


def test_neighbouring_strengths_use_the_same_context(studio, hooks, canvas, selection):
    rects = set()
    for strength in (0.98, 0.99, 1.0):
        painted = paint(studio.request(canvas, selection, strength=strength, prompt="a lake"), studio.model(), hooks)
        settings = made_with(painted.layers[0])
        rects.add(
            (painted.layers[0].layer.rect, settings["model_width"], settings["model_height"], settings["feather"])
        )
    assert len(rects) == 1


@pytest.mark.parametrize("inpaint", [False, True])
def test_generate_needs_no_picture_and_looks_at_none(studio, hooks, canvas, selection, inpaint):
    model = studio.model(inpaint=inpaint)
    request = studio.request(canvas, selection, kind="generate", prompt="a red flower")
    with_picture = paint(request, model, hooks).layers[0]
    without = paint(replace(request, picture=None), model, hooks).layers[0]
    assert np.array_equal(with_picture.layer.pixels, without.layer.pixels)
    assert with_picture.layer.rect == without.layer.rect
    assert BOX.expanded(1).contains(without.layer.rect)


def test_generate_a_whole_canvas_from_nothing(studio, hooks):
    size = Size(100, 150)
    request = request_of(
        kind="generate",
        mode="auto",
        canvas=size,
        context=size.rect,
        picture=None,
        selection=None,
        prompt="a red flower",
    )
    painting = paint(with_settings(request, strength=0.5), studio.model(), hooks)
    layer = painting.layers[0].layer
    assert layer.rect == Rect(0, 0, 100, 150)
    assert np.all(layer.pixels[..., 3] == 1)
    assert "paints afresh" in painting.hints[0]
    assert np.array_equal(layer.pixels, paint(request, studio.model(), hooks).layers[0].layer.pixels)


def test_mini_paints_and_removes(studio, hooks, canvas, selection):
    mini = studio.cache.on_demand(inspect(MINI))
    native = mini.checkpoint.card.native_pixels
    request = studio.request(canvas, selection, prompt="strawberry", steps=2, native_pixels=native)
    named = paint(request, mini, hooks)
    assert named.hints == ()
    assert made_with(named.layers[0])["model_width"] == made_with(named.layers[0])["model_height"] == 256
    removed = paint(studio.request(canvas, selection, native_pixels=native), mini, hooks)
    assert list(removed.timings) == ["infill", "compose"]
