import cv2
import numpy as np
import pytest

from bridge.canvas.errors import EmptySelection, ValueOutOfRange
from bridge.canvas.geometry import Edges, Rect
from bridge.canvas.mask import LEAST_COVERAGE, build_masks, selection_bounds, settle_selection
from bridge.protocol.pixels import LEAST_COVERAGE as BY_DEPTH

INNER = Edges(left=False, top=False, right=False, bottom=False)
ALL_EDGES = Edges(left=True, top=True, right=True, bottom=True)


def empty():
    return np.zeros((160, 200), np.float32)


def hard():
    selection = empty()
    selection[50:110, 60:140] = 1
    return selection


def soft():
    return settle_selection(np.clip(cv2.GaussianBlur(hard(), (0, 0), 6), 0, 1))


def antialiased():
    selection = empty()
    cv2.circle(selection, (100, 80), 30, 1.0, thickness=-1, lineType=cv2.LINE_8)
    return np.clip(cv2.GaussianBlur(selection, (3, 3), 0.6), 0, 1)


def one_pixel():
    selection = empty()
    selection[80, 100] = 1
    return selection


def islands():
    selection = empty()
    selection[60:80, 60:70] = 1
    selection[90:100, 120:150] = 1
    return selection


def at_the_edge():
    selection = empty()
    selection[40:120, 150:] = 1
    return selection


SELECTIONS = [hard, soft, antialiased, one_pixel, islands, at_the_edge]
REACHES = [(4.0, 8.0), (0.0, 12.0), (0.0, 3.3), (6.0, 0.0), (0.0, 0.0), (2.5, 20.0)]


def distance_to(selected):
    """Euclidean, between pixel centres, by brute force over the outline's columns."""
    ys, xs = np.nonzero(selected)
    rows, columns = np.mgrid[: selected.shape[0], : selected.shape[1]]
    best = np.full(selected.shape, np.inf)
    for y in np.unique(ys):
        inside = xs[ys == y]
        across = np.abs(columns[0][:, None] - inside[None, :]).min(axis=1)
        best = np.minimum(best, np.hypot(across[None, :], rows - y))
    return best


@pytest.mark.parametrize(("grow", "feather"), REACHES)
@pytest.mark.parametrize("make", SELECTIONS)
def test_nothing_changes_beyond_grow_and_feather(make, grow, feather):
    selection = make()
    masks = build_masks(selection, grow=grow, feather=feather, strict=False, canvas_edges=ALL_EDGES)
    beyond = distance_to(selection > 0) > grow + feather
    assert beyond.any()
    assert not masks.alpha[beyond].any()
    assert not masks.denoise[beyond].any()
    for mask in (masks.alpha, masks.denoise):
        assert mask.dtype == np.float32
        assert mask.shape == selection.shape
        assert mask.min() >= 0
        assert mask.max() <= 1


@pytest.mark.parametrize(("grow", "feather"), REACHES)
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("make", SELECTIONS)
def test_what_shows_has_been_repainted(make, strict, grow, feather):
    masks = build_masks(make(), grow=grow, feather=feather, strict=strict, canvas_edges=ALL_EDGES)
    partly = (masks.alpha > 0) & (masks.alpha < 1)
    assert (masks.denoise[partly] > masks.alpha[partly]).all()
    assert (masks.denoise[masks.alpha == 1] == 1).all()


@pytest.mark.parametrize("make", [hard, one_pixel, islands, at_the_edge])
def test_alpha_ends_well_before_denoising_does(make):
    masks = build_masks(make(), grow=3, feather=20, strict=False, canvas_edges=ALL_EDGES)
    assert masks.denoise[masks.alpha > 0].min() > 0.15
    rim = (masks.denoise > 0) & (masks.alpha == 0)
    assert rim.sum() > 10


@pytest.mark.parametrize("make", SELECTIONS)
def test_what_is_selected_is_covered(make):
    selection = make()
    masks = build_masks(selection, grow=4, feather=9, strict=False, canvas_edges=ALL_EDGES)
    assert (masks.alpha >= selection).all()
    grown = distance_to(selection == 1) <= 4 if (selection == 1).any() else selection == 1
    assert (masks.alpha[grown] == 1).all()


@pytest.mark.parametrize("make", SELECTIONS)
def test_strict_covers_exactly_what_is_selected(make):
    selection = make()
    masks = build_masks(selection, grow=4, feather=9, strict=True, canvas_edges=ALL_EDGES)
    assert np.array_equal(masks.alpha, selection)
    assert np.array_equal(masks.denoise > 0, selection > 0)


def test_no_grow_and_no_feather_keep_a_hard_selection_hard():
    masks = build_masks(hard(), grow=0, feather=0, strict=False, canvas_edges=INNER)
    assert np.array_equal(masks.alpha, hard())
    assert np.array_equal(masks.denoise, hard())


def test_constant_coverage_comes_out_to_the_last_percent():
    for percent in range(1, 101):
        coverage = np.float32(percent / 100)
        masks = build_masks(hard() * coverage, grow=4, feather=8, strict=False, canvas_edges=INNER)
        inside = hard() > 0
        assert np.array_equal(masks.alpha[inside], np.full(inside.sum(), coverage))
        assert masks.alpha[~inside].max() <= coverage


def test_more_coverage_is_never_less_mask():
    rng = np.random.default_rng(11)
    less = np.clip(cv2.GaussianBlur(rng.normal(0, 8, (160, 200)).astype(np.float32), (0, 0), 9), 0, 1)
    more = np.clip(less + rng.uniform(0, 0.3, less.shape).astype(np.float32), 0, 1)
    low, high = (build_masks(s, grow=3, feather=10, strict=False, canvas_edges=ALL_EDGES) for s in (less, more))
    assert (high.alpha >= low.alpha).all()
    assert (high.denoise >= low.denoise).all()


def test_the_ramp_falls_steadily():
    masks = build_masks(hard(), grow=4, feather=20, strict=False, canvas_edges=INNER)
    for mask in (masks.alpha, masks.denoise):
        outward = mask[80, 139:180]
        assert (np.diff(outward) <= 0).all()
        assert np.abs(np.diff(outward)).max() < 0.11


def test_a_selection_at_the_canvas_edge_has_no_feather_there():
    masks = build_masks(at_the_edge(), grow=4, feather=10, strict=False, canvas_edges=ALL_EDGES)
    assert (masks.alpha[40:120, 150:] == 1).all()
    assert (masks.denoise[40:120, 150:] == 1).all()


def test_where_the_context_cuts_a_selection_off_both_masks_fade_to_nothing():
    masks = build_masks(at_the_edge(), grow=4, feather=10, strict=False, canvas_edges=INNER)
    assert not masks.alpha[:, -1].any()
    assert not masks.denoise[:, -1].any()
    assert (masks.denoise >= masks.alpha).all()
    assert (np.diff(masks.alpha[80, 170:]) <= 0).all()
    assert masks.alpha[80, 185] == 1


def test_with_room_enough_the_sides_of_the_context_do_not_matter():
    masks = build_masks(hard(), grow=5, feather=40, strict=False, canvas_edges=INNER)
    same = build_masks(hard(), grow=5, feather=40, strict=False, canvas_edges=ALL_EDGES)
    assert np.abs(masks.alpha - same.alpha).max() < 1e-6
    assert np.abs(masks.denoise - same.denoise).max() < 1e-6


def test_all_selected_is_all_repainted():
    masks = build_masks(np.ones((30, 40), np.float32), grow=4, feather=9, strict=False, canvas_edges=ALL_EDGES)
    assert (masks.alpha == 1).all()
    assert (masks.denoise == 1).all()


def test_traces_of_coverage_are_settled():
    selection = hard()
    least = np.float32(LEAST_COVERAGE)
    traces = np.nextafter(least, np.float32(0)), least, 1 - least, np.nextafter(1 - least, np.float32(2))
    selection[0, :4] = traces
    settled = settle_selection(selection)
    assert settled[0, :4].tolist() == [0, least, 1 - least, 1]
    assert np.array_equal(settled[1:], selection[1:])
    # What counts is the same for all clients, and in every depth.
    assert {depth: least / {"u8": 255, "u16": 65535}.get(depth, 1) for depth, least in BY_DEPTH.items()} == {
        depth: pytest.approx(LEAST_COVERAGE, rel=0.01) for depth in BY_DEPTH
    }
    for depth, top in (("u8", 255), ("u16", 65535)):
        assert BY_DEPTH[depth] / top >= LEAST_COVERAGE > (BY_DEPTH[depth] - 1) / top


def test_nothing_selected_is_an_error():
    with pytest.raises(EmptySelection):
        build_masks(empty(), grow=4, feather=9, strict=False, canvas_edges=ALL_EDGES)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_coverage_out_of_range_is_an_error(value):
    selection = hard()
    selection[3, 3] = value
    with pytest.raises(ValueOutOfRange):
        build_masks(selection, grow=4, feather=9, strict=False, canvas_edges=ALL_EDGES)


@pytest.mark.parametrize(("grow", "feather"), [(-1, 4), (4, -1), (np.inf, 4), (4, np.nan)])
def test_reaches_out_of_range_are_an_error(grow, feather):
    with pytest.raises(ValueOutOfRange):
        build_masks(hard(), grow=grow, feather=feather, strict=False, canvas_edges=ALL_EDGES)


def test_what_rounding_leaves_beyond_the_range_is_cut():
    selection = hard() * np.float32(1.00001)
    selection[0, 0] = -1e-6
    masks = build_masks(selection, grow=0, feather=0, strict=True, canvas_edges=ALL_EDGES)
    assert np.array_equal(masks.alpha, hard())


def test_the_selection_is_not_written_to():
    selection = soft()
    before = selection.copy()
    build_masks(selection, grow=4, feather=9, strict=False, canvas_edges=ALL_EDGES)
    assert np.array_equal(selection, before)


def test_bounds_of_a_selection():
    assert selection_bounds(hard()) == Rect(60, 50, 80, 60)
    assert selection_bounds(one_pixel() * np.float32(1e-6)) == Rect(100, 80, 1, 1)
    assert selection_bounds(empty()) is None


def test_masks_on_a_sheet(sheet):
    rows = [build_masks(make(), grow=4, feather=16, strict=False, canvas_edges=ALL_EDGES) for make in SELECTIONS]
    sheet("masks", [np.vstack([make(), m.denoise, m.alpha]) for make, m in zip(SELECTIONS, rows, strict=True)])
