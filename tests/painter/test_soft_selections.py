"""What a soft mask leaves where nothing is meant to be selected, and selections that leave nothing to continue from."""

import numpy as np
import pytest
from job_forms import request_of
from random_holes import random_holes

from bridge.canvas.errors import EmptySelection, NothingKnown
from bridge.canvas.geometry import Rect, Size
from bridge.canvas.mask import LEAST_COVERAGE
from bridge.models import MINI, inspect
from bridge.painter import paint


@pytest.fixture(scope="module")
def mini(studio):
    return studio.cache.on_demand(inspect(MINI))


def whole(canvas, selection, **options):
    """A request whose context is all of the canvas."""
    size = Size(canvas.shape[1], canvas.shape[0])
    options = {"kind": "fill", "mode": "remove", **options}
    return request_of(canvas=size, context=size.rect, picture=canvas, selection=selection, **options)


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph("lake-sherburne", width=160, height=120)


def disc(canvas, softness=6.0):
    """A sigmoid's floats: never quite 0, and never quite 1."""
    rows, columns = np.mgrid[: canvas.shape[0], : canvas.shape[1]]
    return (1 / (1 + np.exp((np.hypot(rows - 60, columns - 80) - 20) / softness))).astype(np.float32)


@pytest.mark.parametrize("mode", ["fill", "remove", "background"])
def test_traces_of_coverage_change_nothing(studio, hooks, mini, canvas, mode):
    clean = np.zeros(canvas.shape[:2], np.float32)
    clean[40:80, 60:100] = 1
    traces = np.clip(clean, 1 / 255, 254 / 255).astype(np.float32)
    first, second = (
        paint(whole(canvas, selection, mode=mode), mini, hooks).layers[0].layer for selection in (clean, traces)
    )
    assert first.rect == second.rect
    assert np.array_equal(first.pixels, second.pixels)


@pytest.mark.parametrize("mode", ["fill", "remove"])
def test_a_sigmoids_floats_are_filled_from_the_surroundings(studio, hooks, mini, canvas, mode):
    selection = disc(canvas, softness=1.5)
    assert selection.min() > 0
    painted = paint(whole(canvas, selection, mode=mode), mini, hooks).layers[0]
    inside = painted.layer.pixels[painted.layer.pixels[..., 3] > 0.9][:, :3]
    assert len(inside) > 500
    # Not the flat grey of nothing known.
    assert inside.std(axis=0).max() > 0.01
    assert np.abs(inside - 0.5).max() > 0.1


@pytest.mark.parametrize(("mode", "prompt"), [("remove", ""), ("fill", ""), ("remove", "a lake")])
def test_where_everything_is_selected_nothing_can_be_continued(studio, hooks, mini, canvas, mode, prompt):
    for selection in (None, np.ones(canvas.shape[:2], np.float32)):
        with pytest.raises(NothingKnown, match="Select less"):
            paint(whole(canvas, selection, mode=mode, prompt=prompt), mini, hooks)
    assert not any(name == "load" for name, _, _ in hooks.stages), "before any weights are loaded"


def test_a_mask_that_is_nowhere_black_is_told_of(studio, hooks, mini, canvas):
    with pytest.raises(NothingKnown, match="a mask black"):
        paint(whole(canvas, disc(canvas, softness=30)), mini, hooks)


def test_surrounded_by_transparency_there_is_nothing_either(studio, hooks, mini, canvas):
    holed = canvas.copy()
    selection = np.zeros(canvas.shape[:2], np.float32)
    selection[40:80, 60:100] = 1
    holed[selection == 0] = 0
    with pytest.raises(NothingKnown, match="transparent"):
        paint(whole(holed, selection), mini, hooks)


def test_all_may_be_selected_where_a_model_paints(studio, hooks, canvas):
    layer = paint(whole(canvas, None, mode="fill", prompt="a lake", steps=1), studio.model(), hooks).layers[0].layer
    assert layer.rect == Rect(0, 0, canvas.shape[1], canvas.shape[0])


@pytest.mark.parametrize("greatest", [1 / 255, 255 / 65535])
def test_a_mask_of_another_scale_is_told_of(studio, hooks, mini, canvas, greatest):
    selection = np.zeros(canvas.shape[:2], np.float32)
    selection[40:80, 60:100] = greatest
    assert greatest < LEAST_COVERAGE
    with pytest.raises(EmptySelection, match="full range"):
        paint(whole(canvas, selection), mini, hooks)


@pytest.mark.parametrize("mode", ["fill", "expand", "add", "remove", "background"])
def test_random_fills_change_nothing_outside_and_bring_no_strange_colour(studio, hooks, mini, mode):
    for case in random_holes(12, seed=2613, sides=(48, 140)):
        picture = np.dstack([case.picture, np.ones(case.hole.shape, np.float32)])
        if case.valid is not None:
            picture[~case.valid] = 0
        selection = case.hole if (case.hole >= LEAST_COVERAGE).any() else None
        request = whole(picture, selection, mode=mode, grow=2.0, feather=6.0)
        try:
            layer = paint(request, mini, hooks).layers[0].layer
        except (NothingKnown, EmptySelection):
            continue
        pixels = np.zeros(picture.shape, np.float32)
        pixels[layer.rect.slices] = layer.pixels
        assert np.isfinite(pixels).all(), case
        shown = case.picture if case.valid is None else case.picture[case.valid]
        low, high = shown.reshape(-1, 3).min(axis=0), shown.reshape(-1, 3).max(axis=0)
        covered = pixels[pixels[..., 3] > 0][:, :3]
        assert (covered >= low - 0.1).all(), case
        assert (covered <= high + 0.1).all(), case
