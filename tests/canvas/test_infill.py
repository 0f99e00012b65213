import cv2
import numpy as np
import pytest

from bridge.canvas.errors import ModeUnsupported, PictureMismatch
from bridge.canvas.infill import MODES, infill


@pytest.fixture
def picture(photo):
    return photo("oakland-zoo-otters", 700, 560, 200, 160)


def hole(height=160, width=200):
    selection = np.zeros((height, width), np.float32)
    selection[50:110, 60:140] = 1
    return selection


def soft_hole():
    return np.clip(cv2.GaussianBlur(hole(), (0, 0), 5), 0, 1)


def right_side_shown():
    valid = np.ones((160, 200), bool)
    valid[:, :90] = False
    return valid


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("selection", [hole(), soft_hole()], ids=["hard", "soft"])
def test_outside_the_hole_nothing_changes(picture, mode, selection):
    before = picture.copy()
    filled = infill(picture, selection, None, mode)
    assert np.array_equal(picture, before)
    assert filled.dtype == np.float32
    assert np.array_equal(filled[selection == 0], picture[selection == 0])
    assert np.abs(filled - picture)[selection == 1].mean() > 0.01
    assert np.array_equal(filled, infill(picture, selection, None, mode))


@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_valid_is_never_seen(picture, mode):
    # Not even values that would spread through any sum.
    valid = right_side_shown()
    broken, other = picture.copy(), picture.copy()
    broken[~valid] = np.nan
    other[~valid] = [9, -4, 9]
    filled = infill(broken, hole(), valid, mode)
    assert np.isfinite(filled).all()
    assert np.array_equal(filled, infill(other, hole(), valid, mode))
    kept = valid & (hole() == 0)
    assert np.array_equal(filled[kept], picture[kept])


@pytest.mark.parametrize("mode", ["fill", "expand", "background", "remove"])
def test_no_dark_bleeds_in_from_transparent_areas(mode):
    bright = np.full((160, 200, 3), 0.9, np.float32)
    valid = right_side_shown()
    bright[~valid] = 0
    assert np.abs(infill(bright, hole(), valid, mode) - 0.9).max() < 1e-3


@pytest.mark.parametrize("mode", ["fill", "expand", "background"])
def test_a_smooth_fill_lies_between_its_surroundings_and_has_no_edges(picture, mode):
    filled = infill(picture, hole(), None, mode)
    inside, known = filled[hole() > 0], picture[hole() == 0]
    assert inside.min() >= known.min() - 1e-4
    assert inside.max() <= known.max() + 1e-4
    core = filled[65:95, 75:125]
    assert np.abs(np.diff(core, axis=1)).max() < 0.05
    assert np.abs(np.diff(core, axis=1)).mean() < 0.3 * np.abs(np.diff(picture[65:95, 75:125], axis=1)).mean()


def test_a_membrane_passes_through_a_slope():
    rows, columns = np.mgrid[:160, :200].astype(np.float32)
    slope = np.dstack([columns / 200, rows / 160, (rows + columns) / 360])
    assert np.abs(infill(slope, hole(), None, "fill") - slope).max() < 0.06


def test_expanding_carries_colours_on():
    # Bands that end at the hole go on into it.
    bands = np.zeros((160, 200, 3), np.float32)
    bands[:80] = [0.2, 0.5, 0.9]
    bands[80:] = [0.8, 0.4, 0.1]
    beyond = np.zeros((160, 200), np.float32)
    beyond[:, 120:] = 1
    filled = infill(bands, beyond, None, "expand")
    assert np.abs(filled - bands)[:, :150].mean() < 0.01
    assert np.abs(filled - bands)[np.r_[0:40, 120:160], :150].max() < 0.05


def test_adding_is_neutral(picture):
    filled = infill(picture, hole(), None, "add")
    assert np.abs(filled[hole() > 0] - 0.5).max() < 1e-6


@pytest.mark.parametrize("mode", ["fill", "add", "expand"])
def test_smooth_modes_are_blended_by_coverage(picture, mode):
    full = infill(picture, hole(), None, mode)
    half = infill(picture, hole() * np.float32(0.5), None, mode)
    assert np.abs(half - (full + picture) / 2).max() < 1e-5


def test_nothing_known_is_grey():
    nothing = np.zeros((30, 40), bool)
    picture = np.full((30, 40, 3), 0.9, np.float32)
    for mode in MODES:
        assert np.abs(infill(picture, np.ones((30, 40), np.float32), nothing, mode) - 0.5).max() < 1e-6
        assert np.abs(infill(picture, np.ones((30, 40), np.float32), None, mode) - 0.5).max() < 1e-6


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (5, 5), (80, 100)])
@pytest.mark.parametrize("mode", MODES)
def test_tiny_canvases(mode, size):
    picture = np.random.default_rng(0).random((*size, 3), np.float32)
    selection = np.zeros(size, np.float32)
    selection[: (size[0] + 1) // 2, : (size[1] + 1) // 2] = 1
    filled = infill(picture, selection, None, mode)
    assert filled.shape == picture.shape
    assert np.isfinite(filled).all()
    assert np.array_equal(filled[selection == 0], picture[selection == 0])


def test_large_holes_are_filled_as_small_ones_are(photo):
    small = photo("lake-sherburne", 400, 0, 400, 300)
    large = cv2.resize(small, (1600, 1200), interpolation=cv2.INTER_CUBIC)
    selection = np.zeros((300, 400), np.float32)
    selection[60:260, 80:340] = 1
    for mode in ("fill", "expand"):
        at_once = infill(small, selection, None, mode)
        by_halves = infill(large, np.kron(selection, np.ones((4, 4), np.float32)), None, mode)
        reduced = cv2.resize(by_halves, (400, 300), interpolation=cv2.INTER_AREA)
        assert np.abs(reduced - at_once)[60:260, 80:340].mean() < 0.03


def test_unknown_modes_and_sizes_are_errors(picture):
    with pytest.raises(ModeUnsupported, match="replace"):
        infill(picture, hole(), None, "replace")
    with pytest.raises(PictureMismatch):
        infill(picture, hole(100, 100), None, "fill")
    with pytest.raises(PictureMismatch):
        infill(picture, hole(), np.ones((3, 3), bool), "fill")


def test_infills_on_a_sheet(picture, sheet):
    sheet("infill", [picture, *(infill(picture, soft_hole(), None, mode) for mode in MODES)])


@pytest.mark.parametrize("mode", MODES)
def test_the_same_wherever_the_arrays_lie_in_memory(picture, mode):
    rng = np.random.default_rng(1)

    def moved(array):
        offset = int(rng.integers(0, 16)) * array.itemsize
        room = np.empty(array.nbytes + offset, np.uint8)[offset:].view(array.dtype).reshape(array.shape)
        room[...] = array
        return room

    small, selection = picture[30:117, 40:147], soft_hole()[30:117, 40:147]
    first = infill(small, selection, None, mode)
    for _ in range(8):
        assert np.array_equal(infill(moved(small), moved(selection), None, mode), first)
