"""Smooth fills: what they must hold to on random pictures and shapes."""

import numpy as np
import pytest
from random_holes import SHAPES, random_holes, random_shape

from bridge.canvas.surroundings import NEUTRAL, extend_edges, membrane

FILLS = pytest.mark.parametrize("fill", [membrane, extend_edges])


@FILLS
def test_within_the_range_of_what_is_known_on_random_holes(fill):
    for case in random_holes(45, seed=11, sides=(1, 160)):
        known = (case.hole == 0) & (True if case.valid is None else case.valid)
        filled = fill(np.where(known[..., None], case.picture, np.float32(np.nan)), known)
        assert filled.dtype == np.float32, case
        assert np.array_equal(filled[known], case.picture[known]), case
        low, high = case.picture[known].min(axis=0), case.picture[known].max(axis=0)
        assert (filled >= low - 1e-6).all(), case
        assert (filled <= high + 1e-6).all(), case


@FILLS
def test_one_colour_stays_that_colour(fill):
    for number in range(2 * len(SHAPES)):
        rng = np.random.default_rng([12, number])
        height, width = (int(side) for side in rng.integers(2, 200, 2))
        known = ~random_shape(rng, SHAPES[number % len(SHAPES)], height, width)
        if known.any():
            colour = rng.random(3, np.float32)
            assert np.abs(fill(np.broadcast_to(colour, (height, width, 3)).copy(), known) - colour).max() < 1e-6


def test_a_membrane_keeps_a_linear_slope_exactly():
    # The harmonic surface through a plane is that plane, as long as no side of the picture is in the way.
    for number in range(3 * len(SHAPES)):
        rng = np.random.default_rng([13, number])
        height, width = (int(side) for side in rng.integers(3, 260, 2))
        slope = planes(rng, height, width)
        unknown = np.pad(random_shape(rng, SHAPES[number % len(SHAPES)], height - 2, width - 2), 1)
        filled = membrane(np.where(unknown[..., None], np.float32(np.nan), slope), ~unknown)
        assert np.abs(filled - slope).max() < 0.5 / 255


def planes(rng, height, width):
    """(h, w, 3): in each channel a slope of its own, within 0..1."""
    rows, columns = np.mgrid[:height, :width]
    slope = rows[..., None] * rng.normal(size=3) + columns[..., None] * rng.normal(size=3)
    slope -= slope.min(axis=(0, 1))
    slope /= slope.max(axis=(0, 1))
    return slope.astype(np.float32)


@FILLS
def test_mirrored_pictures_give_mirrored_fills(fill):
    for case in random_holes(9, seed=14, sides=(40, 120)):
        known = (case.hole == 0) & (True if case.valid is None else case.valid)
        mirrored = fill(np.ascontiguousarray(case.picture[:, ::-1]), np.ascontiguousarray(known[:, ::-1]))[:, ::-1]
        # Edges carried out from two pixels at one distance may take either.
        difference = np.abs(mirrored - fill(case.picture, known))
        assert difference.max() < 1 / 255 if fill is membrane else difference.mean() < 0.02, case


@FILLS
def test_nothing_known_is_grey_and_nothing_unknown_is_the_picture(fill):
    picture = np.random.default_rng(15).random((20, 30, 3), np.float32)
    assert (fill(picture, np.zeros((20, 30), bool)) == NEUTRAL).all()
    assert np.array_equal(fill(picture, np.ones((20, 30), bool)), picture)


def test_a_large_membrane_keeps_a_slope():
    # It is made at half the size, which must shift nothing.
    slope = planes(np.random.default_rng(16), 1105, 1301)
    known = np.ones((1105, 1301), bool)
    known[301:903, 200:1107] = known[40:43, 50:1200] = False
    filled = membrane(np.where(known[..., None], slope, np.float32(np.nan)), known)
    assert np.abs(filled - slope).max() < 0.5 / 255


def test_edges_carried_over_large_areas_stay_in_line_with_what_is_known():
    # At half the size a slope must not be shifted.
    columns = np.broadcast_to(np.linspace(0, 1, 1300, dtype=np.float32)[None, :, None], (1100, 1300, 3)).copy()
    known = np.ones((1100, 1300), bool)
    known[400:, :] = False
    assert np.abs(extend_edges(columns, known)[400:405] - columns[400:405]).max() < 0.004
