"""Selections from files and rectangles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bridge.cli.exits import CliError
from bridge.cli.masks import mask_selection, rect_selection
from bridge.cli.pictures import PictureFile, open_picture
from bridge.protocol.messages import Rect

WIDTH, HEIGHT = 50, 40


@pytest.fixture
def picture(save: Callable[..., Path]) -> PictureFile:
    return open_picture(save("picture.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8)))


def soft_spot(top: int, dtype: type) -> np.ndarray:
    coverage = np.zeros((HEIGHT, WIDTH, 1), dtype)
    coverage[10:20, 15:40] = top
    coverage[12, 14] = 2 if top == 255 else 512
    # Too little to count, as a feather's last pixels.
    coverage[35, 3] = 1 if top == 255 else 511
    return coverage


@pytest.mark.parametrize(("top", "dtype", "depth"), [(255, np.uint8, "u8"), (65535, np.uint16, "u16")])
def test_luminance(save: Callable[..., Path], picture: PictureFile, top: int, dtype: type, depth: str) -> None:
    spot = soft_spot(top, dtype)
    for name, pixels in (("grey.png", spot), ("rgb.png", spot.repeat(3, axis=2))):
        selection = mask_selection(save(name, pixels), picture)
        assert selection.bounds == Rect(14, 10, 26, 10)
        coverage = selection.read(Rect(10, 5, 35, 30))
        assert coverage.depth == depth
        assert np.array_equal(coverage.pixels, spot[5:35, 10:45])


def test_an_opaque_alpha_does_not_count(save: Callable[..., Path], picture: PictureFile) -> None:
    spot = soft_spot(255, np.uint8)
    opaque = np.dstack([spot.repeat(3, axis=2), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    assert np.array_equal(
        mask_selection(save("mask.png", opaque), picture).read(Rect(0, 0, WIDTH, HEIGHT)).pixels, spot
    )


def test_an_alpha_that_varies_is_the_coverage(save: Callable[..., Path], picture: PictureFile) -> None:
    spot = soft_spot(255, np.uint8)
    black_strokes = np.dstack([np.zeros((HEIGHT, WIDTH, 3), np.uint8), spot])
    assert np.array_equal(
        mask_selection(save("mask.png", black_strokes), picture).read(Rect(0, 0, WIDTH, HEIGHT)).pixels, spot
    )


def test_luminance_weighs_colours(save: Callable[..., Path], picture: PictureFile) -> None:
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[5, 5] = (255, 0, 0)
    assert mask_selection(save("mask.png", red), picture).read(Rect(5, 5, 1, 1)).pixels.tolist() == [[[54]]]


def test_a_mask_is_turned_as_its_orientation_says(save: Callable[..., Path], picture: PictureFile) -> None:
    spot = soft_spot(255, np.uint8)
    turned = np.ascontiguousarray(np.rot90(spot))
    assert np.array_equal(
        mask_selection(save("mask.png", turned, orientation=6), picture).read(Rect(0, 0, WIDTH, HEIGHT)).pixels, spot
    )


def test_what_is_no_selection(save: Callable[..., Path], picture: PictureFile) -> None:
    with pytest.raises(CliError, match="50 x 39"):
        mask_selection(save("small.png", np.full((39, 50, 1), 255, np.uint8)), picture)
    with pytest.raises(CliError, match="nothing") as caught:
        mask_selection(save("black.png", np.zeros((HEIGHT, WIDTH, 1), np.uint8)), picture)
    assert caught.value.code == "empty_selection"
    with pytest.raises(CliError, match="is 1 at most") as caught:
        mask_selection(save("zero-one.png", np.eye(HEIGHT, WIDTH, dtype=np.uint8)[..., None]), picture)
    assert "white, not 1" in caught.value.hint
    with pytest.raises(CliError, match="coverage"):
        mask_selection(save("wild.tif", np.full((HEIGHT, WIDTH, 1), 1.5, np.float32)), picture)


def test_a_rectangle_is_cut_to_the_picture_and_says_so(picture: PictureFile) -> None:
    inside = rect_selection(Rect(5, 6, 7, 8), picture)
    assert (inside.bounds, inside.hints) == (Rect(5, 6, 7, 8), ())
    cut = rect_selection(Rect(-5, 30, 20, 20), picture)
    assert cut.bounds == Rect(0, 30, 15, 10)
    assert "beyond" in cut.hints[0]
    coverage = cut.read(Rect(0, 20, WIDTH, 20)).pixels[:, :, 0]
    assert (coverage[10:, :15] == 255).all()
    assert coverage.sum() == 255 * 15 * 10
    with pytest.raises(CliError, match="outside"):
        rect_selection(Rect(50, 0, 5, 5), picture)
