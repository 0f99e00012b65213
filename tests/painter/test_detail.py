"""What the VAE loses is given back where little changed, and leaves no ghosts where much did."""

import cv2
import numpy as np
import pytest

from bridge.painter.detail import keep_colour, keep_detail, keep_shown


@pytest.fixture
def start(studio):
    return studio.photograph("canyon-wren", width=240, height=160)[..., :3]


@pytest.fixture
def round_trip(start):
    return cv2.GaussianBlur(start, (0, 0), 2)


def test_nothing_changed_gives_the_start_back_as_the_strength_falls(start, round_trip):
    lost = float(np.abs(start - round_trip).mean())
    for strength in (0.01, 0.3, 0.7, 1.0):
        results = keep_detail(round_trip, start, round_trip, strength)
        assert results.dtype == np.float32
        assert float(np.abs(results - start).mean()) == pytest.approx(strength * lost, rel=1e-3)


def test_an_even_cast_is_kept(start, round_trip):
    results = keep_detail(round_trip + 0.02, start, round_trip, 0.05)
    assert float((results - start).mean()) == pytest.approx(0.02, abs=0.002)
    assert float(np.abs(results - start - 0.02).mean()) < 0.4 * float(np.abs(start - round_trip).mean())


def test_no_ghost_where_something_else_was_painted(start, round_trip):
    painted = round_trip.copy()
    painted[:, 120:] = (0.9, 0.1, 0.1)
    results = keep_detail(painted, start, round_trip, 0.3)
    assert np.array_equal(results[:, 130:], painted[:, 130:])
    assert not np.array_equal(results[:, :110], painted[:, :110])


def test_little_strength_gives_large_areas_no_other_colour():
    start = np.random.default_rng(3).random((96, 128, 3), np.float32)
    painted = start + np.float32(0.1)
    left = [float((keep_colour(painted, start, strength) - start).mean()) for strength in (0.01, 0.1, 0.2, 0.3)]
    assert left == sorted(left)
    assert left[0] < 0.001
    assert keep_colour(painted, start, 0.3) is painted


def test_what_is_painted_upon_a_picture_stays_and_the_rest_is_the_picture(start, round_trip):
    painted = round_trip.copy()
    middle = (slice(20, 40), slice(20, 40))
    painted[middle] = 1 - painted[middle].round()
    results = keep_shown(painted, start, round_trip)
    inside, far = (slice(26, 34),) * 2, np.ones(start.shape[:2], bool)
    far[12:48, 12:48] = False
    assert np.abs(results[inside] - painted[inside]).max() < 1e-6
    assert np.abs(results[far] - start[far]).max() < 1e-6
    assert np.array_equal(keep_shown(round_trip, start, round_trip), start)
