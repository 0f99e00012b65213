"""How a rectangle of the canvas becomes a model's picture, for models that paint any size within a range."""

import math
import random

import numpy as np
import pytest

from bridge.canvas.context import plan
from bridge.canvas.fitting import fitted, unfitted, visible_part
from bridge.canvas.geometry import Rect, Size
from bridge.canvas.model_size import ModelFit, fit_to_model, model_size
from bridge.canvas.resample import resize

NATIVE = 512 * 512
RANGE = (128 * 128, 768 * 768)
DEFAULTS = {"mode": "auto", "choice": "auto", "rect": None, "grow": None, "feather": None, "native_pixels": NATIVE}


def random_sizes(count, most=6000, seed=5):
    rng = random.Random(seed)
    for _ in range(count):
        yield Size(*(max(1, round(math.exp(rng.uniform(0, math.log(most))))) for _ in range(2)))


def fit_of(size, multiple=16, native_range=RANGE):
    return fit_to_model(size, native_pixels=NATIVE, multiple=multiple, native_range=native_range)


@pytest.mark.parametrize("multiple", [16, 32])
def test_what_lies_within_the_range_is_not_resampled(multiple):
    seen = set()
    for size in random_sizes(3000):
        fit = fit_of(size, multiple)
        assert fit.canvas == size
        assert fit.size.width % multiple == fit.size.height % multiple == 0
        assert min(fit.size.width, fit.size.height) >= 64
        assert fit.scaled.width <= fit.size.width
        assert fit.scaled.height <= fit.size.height
        exact = fit.scaled == size
        padded = Size(*(max(64, -(-side // multiple) * multiple) for side in (size.width, size.height)))
        if size.area >= RANGE[0] and padded.area <= RANGE[1] and max(padded.width, padded.height) <= 2048:
            assert exact
            assert fit.size == padded
        assert fit.reduced == (fit.scaled.area < size.area)
        assert not (fit.reduced and size.area < NATIVE and max(size.width, size.height) <= 2048)
        # No side is squeezed for the grid's sake.
        if min(fit.scaled.width, fit.scaled.height) > 20:
            ratio = fit.scaled.width / fit.scaled.height * size.height / size.width
            assert abs(ratio - 1) < 1 / min(fit.scaled.width, fit.scaled.height)
        seen.add((exact, fit.reduced))
    assert seen == {(True, False), (False, False), (False, True)}


def test_smaller_ones_are_enlarged_to_the_least_and_larger_ones_reduced_to_the_native_size():
    assert fit_of(Size(37, 51)).scaled == Size(109, 150)
    assert fit_of(Size(37, 51)).size == Size(112, 160)
    assert fit_of(Size(1600, 800)).scaled == Size(724, 362)
    assert fit_of(Size(1600, 800)).size == Size(736, 368)
    # No model has seen places so far apart.
    long = fit_of(Size(16000, 100))
    assert (long.scaled, long.size) == (Size(2048, 13), Size(2048, 64))
    assert fit_of(Size(1, 1)).scaled == Size(128, 128)


def test_families_without_a_range_are_resampled_as_ever():
    for size in random_sizes(300):
        fit = fit_of(size, 8, None)
        assert fit.scaled == fit.size == model_size(size, native_pixels=NATIVE, multiple=8)


@pytest.mark.parametrize("channels", [None, 3, 4])
def test_arrays_come_back_bit_by_bit_where_nothing_is_resampled(channels):
    rng = np.random.default_rng(3)
    for size in random_sizes(40, most=300):
        shape = size.shape if channels is None else (*size.shape, channels)
        array = rng.random(shape, np.float32)
        fit = fit_of(size, native_range=(1, RANGE[1]))
        there = fitted(array, fit)
        assert there.shape[:2] == fit.size.shape
        assert np.array_equal(there[: size.height, : size.width], array)
        assert np.array_equal(unfitted(there, fit), array)
        # Mirrored without the edge twice: what is next to the last column is what was before it.
        if size.width > 1 and fit.size.width > size.width:
            assert np.array_equal(there[: size.height, size.width], array[:, -2])
        assert (there.min(), there.max()) == (array.min(), array.max())


def test_what_is_resampled_is_padded_too():
    array = np.random.default_rng(4).random((51, 37, 3), np.float32)
    fit = fit_of(Size(37, 51))
    there = fitted(array, fit)
    assert there.shape == (160, 112, 3)
    assert np.array_equal(there[:150, :109], resize(array, Size(109, 150)))
    assert unfitted(there, fit).shape == array.shape
    assert np.corrcoef(unfitted(there, fit).ravel(), array.ravel())[0, 1] > 0.95


def test_a_preview_shows_the_rectangle_and_not_the_padding():
    fit = ModelFit(Size(101, 77), Size(101, 77), Size(112, 80))
    assert visible_part((20, 28), fit) == (slice(0, 19), slice(0, 25))
    assert visible_part((80, 112), fit) == (slice(0, 77), slice(0, 101))
    whole = ModelFit(Size(64, 64), Size(96, 96), Size(96, 96))
    assert visible_part((24, 24), whole) == (slice(0, 24), slice(0, 24))


def random_plans(count):
    rng = random.Random(11)
    for canvas in random_sizes(count, most=3000, seed=12):
        width, height = rng.randint(1, canvas.width), rng.randint(1, canvas.height)
        bounds = Rect(rng.randint(-width + 1, canvas.width - 1), rng.randint(0, canvas.height - 1), width, height)
        options = {"kind": rng.choice(["fill", "refine", "generate"]), "choice": rng.choice(["auto", "selection"])}
        yield canvas, bounds, {**DEFAULTS, **options}, rng.choice([16, 32])


def sides(one):
    return one.width, one.height


def on_grid(length, needed, limit, multiple):
    """The next multiple; where the canvas has no room for it the last one, or else all of the canvas."""
    up, down = -(-length // multiple) * multiple, limit // multiple * multiple
    return up if up <= limit else down if down >= needed else limit


def test_contexts_that_are_chosen_here_lie_on_the_models_grid():
    aligned = shrunk = 0
    for canvas, bounds, options, multiple in random_plans(4000):
        plain = plan(canvas, bounds, multiple=multiple, **options)
        result = plan(canvas, bounds, multiple=multiple, native_range=RANGE, **options)
        assert canvas.rect.contains(result.context)
        assert result.context.contains(result.bounds.expanded(result.reach).cut_to(canvas))
        assert result.fit == fit_of(result.context.size, multiple)
        same = (plain.grow, plain.feather, plain.reach, plain.mode, plain.bounds)
        assert (result.grow, result.feather, result.reach, result.mode, result.bounds) == same
        if result.fit.scaled != result.context.size:
            # Resampled anyway.
            assert result.context == plain.context
            continue
        changing = result.bounds.expanded(result.reach).cut_to(canvas)
        grid = [
            on_grid(length, needed, limit, multiple)
            for length, needed, limit in zip(sides(plain.context), sides(changing), sides(canvas), strict=True)
        ]
        if fit_of(Size(*grid), multiple).scaled == Size(*grid):
            assert sides(result.context) == tuple(grid)
            shrunk += min(grid[0] - plain.context.width, grid[1] - plain.context.height) < 0
            aligned += result.context.size == result.model_size
        else:
            assert result.context == plain.context
    assert aligned > 500
    assert shrunk > 20


def test_given_contexts_and_whole_canvases_are_taken_as_they_are():
    canvas = Size(1001, 777)
    rect = Rect(13, 5, 333, 251)
    given = plan(
        canvas, Rect(50, 40, 30, 30), multiple=16, native_range=RANGE, kind="fill",
        **{**DEFAULTS, "choice": "rect", "rect": rect},
    )  # fmt: skip
    assert given.context == rect
    assert given.fit == ModelFit(rect.size, rect.size, Size(336, 256))
    assert given.model_size == Size(336, 256)
    whole = plan(Size(701, 377), None, multiple=16, native_range=RANGE, kind="refine", **DEFAULTS)
    assert (whole.context.size, whole.model_size) == (Size(701, 377), Size(704, 384))
    whole = plan(
        Size(701, 377),
        Rect(9, 9, 5, 5),
        multiple=16,
        native_range=RANGE,
        kind="fill",
        **{**DEFAULTS, "choice": "canvas"},
    )
    assert (whole.context.size, whole.model_size) == (Size(701, 377), Size(704, 384))


def test_an_upscale_is_planned_as_ever():
    for scale in (2, 4):
        options = {**DEFAULTS, "kind": "upscale", "scale": scale, "multiple": 16}
        plain, ranged = (plan(Size(301, 177), None, native_range=one, **options) for one in (None, RANGE))
        assert plain == ranged
        assert plain.model_size == Size(-(-301 * scale // 16) * 16, -(-177 * scale // 16) * 16)
