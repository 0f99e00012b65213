import random
from itertools import pairwise

import numpy as np
import pytest

from bridge.canvas.geometry import Rect, Size
from bridge.canvas.tiles import blend_tiles, enlarged, plan_tiles, tile_weight


def cases(count=200):
    rng = random.Random(5)
    for _ in range(count):
        tile = Size(rng.randint(8, 200), rng.randint(8, 200))
        overlap = rng.randint(0, min(tile.width, tile.height) // 2)
        yield Size(rng.randint(1, 700), rng.randint(1, 700)), tile, overlap


def test_tiles_cover_the_area_and_share_the_overlap():
    for area, tile, overlap in cases():
        tiles = plan_tiles(area, tile, overlap)
        covered = np.zeros(area.shape, bool)
        for rect in tiles:
            assert area.rect.contains(rect)
            assert rect.size == Size(min(tile.width, area.width), min(tile.height, area.height))
            covered[rect.slices] = True
        assert covered.all()
        columns = sorted({rect.x for rect in tiles})
        assert all(left + tile.width - right >= overlap for left, right in pairwise(columns))


def test_constant_tiles_blend_to_the_constant():
    for area, tile, overlap in cases(60):
        tiles = ((r, np.full((r.height, r.width, 3), 0.37, np.float32)) for r in plan_tiles(area, tile, overlap))
        assert np.abs(blend_tiles(tiles, area, overlap) - 0.37).max() < 1e-6


def test_tiles_of_one_picture_make_the_picture(photo):
    picture = photo("lake-sherburne", 700, 300, 500, 300)
    area = Size(500, 300)
    tiles = [(rect, picture[rect.slices]) for rect in plan_tiles(area, Size(192, 128), 48)]
    assert len(tiles) > 6
    assert np.abs(blend_tiles(tiles, area, 48) - picture).max() < 1e-6


def test_where_tiles_differ_one_passes_smoothly_into_the_other():
    area = Size(160, 40)
    tiles = [(r, np.full((40, 100, 1), float(r.x > 0), np.float32)) for r in plan_tiles(area, Size(100, 40), 20)]
    row = blend_tiles(tiles, area, 20)[20, :, 0]
    assert row[0] == 0
    assert row[-1] == 1
    assert (np.diff(row) >= -1e-6).all()
    assert np.diff(row).max() < 0.1


def test_weights_are_above_zero_and_full_at_the_sides_of_the_area():
    weight = tile_weight(Rect(0, 60, 100, 100), Size(300, 160), 30)
    assert weight.min() > 0
    assert (weight[30:, 0] == 1).all()
    assert weight[0, 0] < 0.01
    assert weight[99, 50] == 1


def test_where_no_tile_is_stays_what_is_given(photo):
    picture = photo("lake-sherburne", 700, 300, 300, 200)
    area = Size(300, 200)
    tiles = plan_tiles(area, Size(128, 128), 32)
    left_out = [rect for rect in tiles if rect.x == 0]
    painted = [(rect, np.ones((rect.height, rect.width, 3), np.float32)) for rect in tiles if rect.x > 0]
    blended = blend_tiles(painted, area, 32, elsewhere=picture)
    first = min(rect.x for rect, _ in painted)
    assert 0 < first < left_out[0].right
    assert np.array_equal(blended[:, :first], picture[:, :first])
    assert np.allclose(blended[:, first:], 1)
    assert np.array_equal(blend_tiles([], area, 32, elsewhere=picture), picture)


def test_tiles_of_latents_are_tiles_of_pixels():
    latents = plan_tiles(Size(100, 61), Size(32, 32), 8)
    assert enlarged(Rect(3, 5, 7, 11), 8) == Rect(24, 40, 56, 88)
    assert {enlarged(rect, 8).right for rect in latents} == {rect.right * 8 for rect in latents}


def test_what_cannot_be_tiled_is_an_error():
    with pytest.raises(ValueError, match="overlap"):
        plan_tiles(Size(100, 100), Size(20, 20), 11)
    with pytest.raises(ValueError, match="overlap"):
        plan_tiles(Size(100, 100), Size(20, 20), -1)
    with pytest.raises(ValueError, match="cover"):
        blend_tiles([(Rect(0, 0, 5, 5), np.ones((5, 5, 1), np.float32))], Size(6, 5), 2)
    with pytest.raises(ValueError, match="cover"):
        blend_tiles([], Size(6, 5), 2)
