from functools import lru_cache

import cv2
import numpy as np
import pytest

from bridge.canvas import exemplar
from bridge.canvas.exemplar import complete
from bridge.canvas.patchmatch import search


def block(height, width, top, left, bottom, right):
    target = np.zeros((height, width), bool)
    target[top:bottom, left:right] = True
    return target


def liveliness(picture, where):
    """Mean size of the luminance's gradient: what blur takes away."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    size = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return float(size[where].mean())


def telea(picture, target):
    byte = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
    return cv2.inpaint(byte, target.astype(np.uint8), 5, cv2.INPAINT_TELEA).astype(np.float32) / 255


def test_a_pattern_is_continued_exactly():
    rows, columns = np.mgrid[:200, :240].astype(np.float32)
    pattern = np.dstack(
        [
            0.5 + 0.4 * np.sin(columns * (np.pi / 8)),
            0.5 + 0.4 * np.sin(rows * (np.pi / 6)),
            (columns // 8 + rows // 6) % 2,
        ]
    )
    target = block(200, 240, 60, 70, 140, 160)
    result = complete(pattern, target, ~target)
    assert np.abs(result - pattern)[target].mean() < 0.01


def test_a_horizon_is_continued():
    rng = np.random.default_rng(4)
    picture = np.empty((200, 240, 3), np.float32)
    picture[:110] = [0.5, 0.7, 0.95]
    picture[110:] = [0.4, 0.25, 0.1]
    picture += rng.normal(0, 0.02, picture.shape).astype(np.float32)
    target = block(200, 240, 70, 80, 150, 160)
    result = complete(picture, target, ~target)
    above = result[..., 2] > 0.5
    assert (above == (np.arange(200) < 110)[:, None])[target].mean() > 0.985
    # Grain and all.
    assert result[75:100, 90:150].std(axis=(0, 1)).min() > 0.012


def test_light_that_changes_slowly_shows_no_seam():
    rows, columns = np.mgrid[:200, :240].astype(np.float32)
    sky = np.dstack([0.4 + rows / 800, 0.6 + rows / 1000, 0.9 - columns / 1500]).astype(np.float32)
    sky += np.random.default_rng(6).normal(0, 0.002, sky.shape).astype(np.float32)
    target = block(200, 240, 60, 70, 140, 170)
    result = complete(sky, target, ~target)
    assert np.abs(result - sky)[target].mean() < 0.012
    smooth = cv2.GaussianBlur(result, (0, 0), 2)
    assert np.abs(np.diff(smooth, axis=0))[61:139, 70:170].max() < 0.008
    assert np.abs(np.diff(smooth, axis=1))[60:140, 71:169].max() < 0.008


@pytest.mark.parametrize(
    ("name", "x", "y", "place"),
    [
        ("tea-gardens", 960, 760, (90, 100, 190, 220)),
        ("oakland-zoo-otters", 150, 680, (80, 100, 180, 200)),
        ("lake-sherburne", 380, 640, (60, 90, 130, 230)),
    ],
)
def test_texture_stays_as_lively_as_around_it(photo, sheet, name, x, y, place):
    picture = photo(name, x, y, 320, 256)
    target = block(256, 320, *place)
    result = complete(picture, target, ~target)
    blurred = telea(picture, target)
    inside = cv2.erode(target.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    own = liveliness(picture, inside)
    sheet(f"remove-{name}", [np.where(target[..., None], np.float32([1, 0, 1]), picture), result, blurred, picture])
    assert 0.7 < liveliness(result, inside) / own < 1.4
    assert liveliness(blurred, inside) / own < 0.6
    # No colour that is not there: the hole's mean is near the picture's own.
    assert np.abs(result[target].mean(axis=0) - picture[target].mean(axis=0)).max() < 0.12


def test_the_wren_leaves_its_rock(photo, sheet):
    picture = photo("canyon-wren", 560, 130, 448, 420)
    target = np.zeros((420, 448), np.uint8)
    cv2.ellipse(target, (240, 225), (170, 150), 0, 0, 360, 1, -1)
    target = target > 0
    result = complete(picture, target, ~target)
    sheet("remove-wren", [np.where(target[..., None], np.float32([1, 0, 1]), picture), result])
    grey = cv2.cvtColor(result, cv2.COLOR_RGB2GRAY)
    was = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    sky = target.copy()
    sky[270:] = False
    assert was[sky].min() < 0.3
    assert grey[sky].min() > 0.7


def test_only_sources_are_copied():
    rng = np.random.default_rng(8)
    picture = rng.uniform(0.2, 0.4, (120, 160, 3)).astype(np.float32)
    target = block(120, 160, 40, 50, 80, 100)
    source = ~target
    # Neither target nor source: looked at, never copied.
    picture[:, 110:] = [1, 0, 0]
    source[:, 105:] = False
    result = complete(picture, target, source)
    assert result[target].max() < 0.5
    assert np.array_equal(result[~target], picture[~target])


def test_what_lies_in_the_hole_is_never_seen(photo):
    picture = photo("tea-gardens", 960, 760, 160, 128)
    target = block(128, 160, 40, 50, 90, 110)
    other = picture.copy()
    other[target] = np.nan
    result = complete(other, target, ~target)
    assert np.isfinite(result).all()
    assert np.array_equal(result, complete(picture, target, ~target))


@pytest.mark.parametrize(
    "place",
    [(0, 0, 60, 60), (60, 90, 128, 160), (0, 40, 128, 90), (50, 0, 80, 160)],
    ids=["corner", "far corner", "column", "row"],
)
def test_holes_at_the_canvas_edge(photo, place):
    picture = photo("oakland-zoo-otters", 150, 720, 160, 128)
    target = block(128, 160, *place)
    result = complete(picture, target, ~target)
    assert np.array_equal(result[~target], picture[~target])
    inside = liveliness(result, target)
    assert 0.6 < inside / liveliness(picture, ~target) < 1.6


@pytest.fixture(scope="module")
def grown(photo, sheet):
    """A photograph, reduced to 480 x 270, and what it is completed to on a canvas that is larger by a quarter on each
    side.
    """

    @lru_cache
    def complete_beyond(name):
        reduced = cv2.resize(photo(name, 0, 0, 1920, 1080), (480, 270), interpolation=cv2.INTER_AREA)
        canvas = cv2.copyMakeBorder(reduced, 70, 70, 120, 120, cv2.BORDER_CONSTANT)
        source = block(410, 720, 70, 120, 340, 600)
        completed = complete(canvas, ~source, source)
        sheet(f"grown-{name}", [canvas, completed])
        return reduced, completed

    return complete_beyond


def test_beyond_the_edges_of_a_picture_no_light_adds_up(grown):
    """Out there pieces lean on pieces, and slopes that repeat must not climb without end."""
    picture, completed = grown("canyon-wren")
    assert completed.max() <= picture.max() + 0.1
    assert completed.min() >= picture.min() - 0.1
    # The sky above goes on as light as it is.
    assert np.abs(completed[:60, 120:600].mean(axis=(0, 1)) - picture[:30].mean(axis=(0, 1))).max() < 0.06


@pytest.mark.parametrize(("name", "most"), [("lake-sherburne", 0.06), ("canyon-wren", 0.08)])
def test_what_lies_in_layers_goes_on_in_layers_beyond_the_edges(grown, name, most):
    """A horizon at its height, no sky below it."""
    _, completed = grown(name)
    rows = cv2.blur(completed[70:340], (1, 9))
    for beyond, beside in ((rows[:, :120], rows[:, 120:160]), (rows[:, -120:], rows[:, -160:-120])):
        assert np.abs(beyond.mean(axis=1) - beside.mean(axis=1)).mean() < most


def test_several_holes_and_slivers(photo):
    picture = photo("oakland-zoo-otters", 150, 720, 160, 128)
    target = np.zeros((128, 160), bool)
    target[10:40, 10:50] = target[60:62, :] = target[100, 100] = target[::9, 150] = True
    result = complete(picture, target, ~target)
    assert np.array_equal(result[~target], picture[~target])
    assert np.isfinite(result).all()
    assert 0.5 < liveliness(result, target) / liveliness(picture, ~target) < 1.6


def test_without_one_whole_patch_a_smooth_fill_serves():
    picture = np.full((60, 60, 3), 0.3, np.float32)
    target = np.ones((60, 60), bool)
    target[::6] = False
    result = complete(picture, target, ~target)
    assert np.abs(result - 0.3).max() < 1e-4


def test_deep_colours_are_copied_as_they_are():
    rng = np.random.default_rng(9)
    picture = rng.uniform(-1, 6, (120, 120, 3)).astype(np.float32)
    target = block(120, 120, 40, 40, 70, 70)
    result = complete(picture, target, ~target)
    assert result[target].max() > 4
    assert result[target].min() < 0


def test_large_holes_inherit_their_finest_levels(photo, monkeypatch):
    # What holes above a few hundred thousand pixels go through, at a size that a test can bear.
    picture = photo("tea-gardens", 960, 760, 320, 256)
    target = block(256, 320, 90, 100, 190, 220)
    monkeypatch.setattr(exemplar, "_MOST_SEARCHED", 5000)
    result = complete(picture, target, ~target)
    assert np.array_equal(result[~target], picture[~target])
    assert 0.7 < liveliness(result, target) / liveliness(picture, target) < 1.4


def test_little_is_tried_where_next_to_nothing_is_known(photo, monkeypatch):
    # A large hole within a thin rim, which has no patch at any coarser level; at a size that a test can bear.
    picture = photo("tea-gardens", 960, 760, 320, 256)
    target = block(256, 320, 11, 11, 245, 309)
    scratches = np.zeros_like(target)
    scratches[:, 20:300:28] = scratches[:, 22:300:28] = True
    tried = []

    def counted(*args, **how):
        tried.append(1)
        return search(*args, **how)

    monkeypatch.setattr(exemplar, "search", counted)

    def rounds(target):
        before = len(tried)
        result = complete(picture, target, ~target)
        assert np.array_equal(result[~target], picture[~target])
        assert np.abs(result[target].mean(axis=0) - picture[~target].mean(axis=0)).max() < 0.1
        return len(tried) - before

    many, for_scratches = rounds(target), rounds(scratches)
    monkeypatch.setattr(exemplar, "_MOST_SEARCHED", 4000)
    assert np.count_nonzero(scratches) > 4000
    assert rounds(target) < 0.6 * many
    assert rounds(scratches) == for_scratches, "these are as large, but much is known beside them"


def test_the_work_can_be_ended_at_any_time(photo):
    picture = photo("tea-gardens", 960, 760, 160, 128)
    target = block(128, 160, 40, 50, 95, 110)

    class Enough(Exception):
        pass

    def asked(most):
        """How often it asks whether to go on, when told to end at the `most`-th time."""
        count = 0

        def check():
            nonlocal count
            count += 1
            if count == most:
                raise Enough

        try:
            complete(picture, target, ~target, check)
        except Enough:
            assert count == most
        return count

    whole = asked(None)
    assert whole > 50
    assert [asked(most) for most in (1, whole // 2, whole)] == [1, whole // 2, whole]


@pytest.mark.parametrize(("name", "most"), [("lake-sherburne", 0.025), ("extreme-desert-hike", 0.06)])
def test_no_tint_adds_up_beyond_an_edge(photo, sheet, name, most):
    picture = cv2.copyMakeBorder(photo(name, 0, 0, 480, 270), 68, 68, 120, 120, cv2.BORDER_CONSTANT)
    target = ~block(406, 720, 68, 120, 338, 600)
    result = complete(picture, target, ~target)
    sheet(f"expand-{name}", [picture, result])
    smooth = cv2.GaussianBlur(result, (0, 0), 4)
    own = smooth[76:330:4, 128:592:4].reshape(-1, 3)
    sides = (smooth[:24], smooth[-24:], smooth[:, :24], smooth[:, -24:])
    far = np.concatenate([side[::4, ::4].reshape(-1, 3) for side in sides])
    # How far each colour out there is from the nearest that the photograph has.
    foreign = [np.linalg.norm(own - colour, axis=1).min() for colour in far]
    assert np.percentile(foreign, 99) < most


@pytest.mark.parametrize("seed", range(40))
def test_what_most_votes_agree_on_is_elected(seed):
    rng = np.random.default_rng(seed)
    taps, pixels = int(rng.choice([1, 2, 16, 49])), int(rng.integers(1, 300))
    proposals = rng.integers(0, rng.integers(1, 20), (taps, pixels)).astype(np.int32)
    # As patches far from what is known weigh: by many orders of magnitude less, or nothing.
    votes = np.exp(rng.normal(0, 4, (taps, pixels))).astype(np.float32) * (rng.random((taps, pixels)) < 0.8)
    elected = exemplar._most_voted(proposals, votes.astype(np.float32))
    for pixel in range(pixels):
        sums = {one: votes[proposals[:, pixel] == one, pixel].sum(dtype=np.float64) for one in proposals[:, pixel]}
        assert sums[elected[pixel]] >= max(sums.values()) * (1 - 1e-5)
