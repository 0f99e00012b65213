import cv2
import numpy as np
import pytest

from bridge.canvas.colour import lab_to_rgb, rgb_to_lab
from bridge.canvas.composite import compose_layer, match_colour
from bridge.canvas.errors import EmptySelection
from bridge.canvas.geometry import Rect


def test_lab_of_colours_of_note():
    # Published values for sRGB under D65 (CIE 15, IEC 61966-2-1).
    rgb = np.float32([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])
    lab = [[100, 0, 0], [53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [0, 0, 0]]
    assert np.abs(rgb_to_lab(rgb) - lab).max() < 0.02


def test_lab_comes_back_beyond_the_range_too():
    rgb = np.random.default_rng(1).uniform(-1.5, 4, (64, 64, 3)).astype(np.float32)
    assert np.abs(lab_to_rgb(rgb_to_lab(rgb)) - rgb).max() < 1e-3
    nominal = np.clip(rgb, 0, 1)
    assert np.abs(lab_to_rgb(rgb_to_lab(nominal)) - nominal).max() < 2e-5


def disc(height=200, width=240):
    mask = np.zeros((height, width), np.float32)
    cv2.circle(mask, (width // 2, height // 2), 45, 1.0, thickness=-1)
    return mask


@pytest.fixture
def original(photo):
    return photo("extreme-desert-hike", 500, 700, 240, 200)


def test_matching_a_picture_to_itself_changes_nothing(original):
    assert np.abs(match_colour(original, original, disc(), None) - original).max() < 1e-4


def test_twenty_matches_in_a_row_do_not_drift(original):
    grain = np.random.default_rng(2)
    painted = original
    for _ in range(20):
        worn = painted * np.float32([0.98, 0.99, 1.01]) + grain.normal(0.002, 0.002, painted.shape).astype(np.float32)
        painted = match_colour(worn, original, disc(), None)
    inside = disc() > 0
    assert np.abs((painted - original)[inside].mean(axis=0)).max() < 1.5 / 255


def test_a_cast_is_taken_out(original):
    cast = lab_to_rgb(rgb_to_lab(original) * np.float32([1.1, 1.0, 1.0]) + np.float32([4, -6, 5]))
    assert np.abs(cast - original).mean() > 0.02
    matched = match_colour(cast, original, disc(), None)
    assert np.abs(matched - original).mean() < 0.002


def test_the_spread_is_changed_by_a_quarter_at_most(original):
    flat = np.full_like(original, original.mean(axis=(0, 1)))
    loud = flat + (original - flat) * 4
    matched = match_colour(loud, original, disc(), None)
    assert rgb_to_lab(matched)[..., 0].std() > 0.75 * rgb_to_lab(loud)[..., 0].std()


def test_only_the_ring_counts(original):
    # What is painted inside may have any colour: it is not dragged to the surroundings'.
    painted = original.copy()
    painted[disc() > 0] = [0.1, 0.2, 0.9]
    assert np.abs(match_colour(painted, original, disc(), None) - painted).max() < 1e-4


def test_only_valid_pixels_count(original):
    valid = np.ones(disc().shape, bool)
    valid[:, :100] = False
    holed = original.copy()
    holed[~valid] = 0
    painted = original * np.float32(0.9)
    with_hole = match_colour(painted, holed, disc(), valid)
    assert np.abs((with_hole - original)[valid].mean(axis=0)).max() < 0.02
    assert np.abs((match_colour(painted, holed, disc(), None) - original)[valid].mean(axis=0)).max() > 0.05


def test_without_a_ring_nothing_changes(original):
    painted = original * np.float32(0.9)
    everywhere = np.ones(disc().shape, np.float32)
    assert match_colour(painted, original, everywhere, None) is painted
    assert match_colour(painted, original, disc(), np.zeros(disc().shape, bool)) is painted


def test_deep_colours_are_not_cut(original):
    deep = original * 3 - 0.5
    matched = match_colour(deep - np.float32(0.05), deep, disc(), None)
    assert matched.max() > 1.5
    ring = cv2.dilate(disc(), np.ones((9, 9))) - disc() > 0
    assert np.abs((matched - deep)[ring].mean(axis=0)).max() < 0.02


def ramp_alpha():
    alpha = np.zeros((50, 60), np.float32)
    alpha[10:30, 20:50] = np.linspace(0.1, 1, 30, dtype=np.float32)
    return alpha


def test_a_layer_is_cropped_and_lies_on_the_canvas():
    painted = np.random.default_rng(3).random((50, 60, 3), np.float32)
    alpha = ramp_alpha()
    alpha[15, 25] = 0
    layer = compose_layer(painted, np.ones((50, 60, 4), np.float32), alpha, Rect(1000, 2000, 60, 50), reach=7)
    assert layer.rect == Rect(1020, 2010, 30, 20)
    assert layer.reach == 7
    assert layer.pixels.shape == (20, 30, 4)
    assert not layer.pixels[5, 5].any()
    assert np.array_equal(layer.pixels[..., 3], alpha[10:30, 20:50])
    shown = layer.pixels[..., 3] > 0
    assert np.array_equal(layer.pixels[shown][:, :3], painted[10:30, 20:50][shown])


def test_what_was_transparent_stays_so_unless_asked():
    picture = np.ones((50, 60, 4), np.float32)
    picture[:, 40:, 3] = 0
    picture[:, 30:40, 3] = 0.5
    painted = np.full((50, 60, 3), 0.5, np.float32)
    context = Rect(0, 0, 60, 50)
    held = compose_layer(painted, picture, ramp_alpha(), context)
    assert held.rect == Rect(20, 10, 20, 20)
    assert np.allclose(held.pixels[:, 10:, 3], ramp_alpha()[10:30, 30:40] / 2)
    covering = compose_layer(painted, picture, ramp_alpha(), context, cover_transparent=True)
    assert covering.rect == Rect(20, 10, 30, 20)


def test_a_layer_that_would_show_nothing_is_an_error():
    painted, clear = np.zeros((50, 60, 3), np.float32), np.zeros((50, 60, 4), np.float32)
    with pytest.raises(EmptySelection, match="transparent"):
        compose_layer(painted, clear, ramp_alpha(), Rect(0, 0, 60, 50))
