"""Painted pixels begin where the original ends."""

import cv2
import numpy as np
import pytest

from bridge.canvas.joining import join_surroundings


@pytest.fixture(scope="module")
def original():
    noise = np.random.default_rng(1).random((90, 120, 3), np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 3) * 2 - 0.5


@pytest.fixture(scope="module")
def mask():
    disc = np.zeros((90, 120), np.float32)
    cv2.circle(disc, (60, 45), 25, 1, -1)
    return cv2.GaussianBlur(disc, (0, 0), 2)


def test_a_cast_that_changes_from_place_to_place_is_taken_out(original, mask):
    cast = np.linspace(-0.08, 0.08, 120, dtype=np.float32)[None, :, None]
    joined = join_surroundings(original + cast, original, mask, None)
    assert np.abs(joined - original).max() < 0.03
    assert np.abs(joined - original)[mask > 0.5].mean() < 0.01


def test_what_is_alike_stays_as_it_is(original, mask):
    assert np.abs(join_surroundings(original, original, mask, None) - original).max() < 1e-6


def test_painted_gradients_stay(original, mask):
    painted = original.copy()
    painted[35:55, 50:70] = [0.9, 0.1, 0.1]
    joined = join_surroundings(painted, original, mask, None)
    assert np.abs(joined - painted)[mask > 0.9].max() < 0.01


def test_what_is_another_thing_is_no_cast(original, mask):
    painted = original + 0.7
    joined = join_surroundings(painted, original, mask, None)
    assert np.abs(joined - painted)[mask > 0.9].max() < 0.02


def test_only_what_shows_is_looked_at(original, mask):
    valid = np.ones(mask.shape, bool)
    valid[:, :40] = False
    holed = original.copy()
    holed[~valid] = 0
    joined = join_surroundings(original + np.float32(0.05), holed, mask, valid)
    assert np.abs((joined - original)[mask > 0.5].mean(axis=0)).max() < 0.01


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_there_is_no_edge_nothing_changes(original, mask, value):
    painted = original * np.float32(0.9)
    assert join_surroundings(painted, original, np.full_like(mask, value), None) is painted
