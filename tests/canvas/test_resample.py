import numpy as np
import pytest

from bridge.canvas.geometry import Size
from bridge.canvas.resample import enlarge, resize


def centroid(mask):
    """As shares of the width and height."""
    rows, columns = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    return (mask * columns).sum() / mask.sum() / mask.shape[1], (mask * rows).sum() / mask.sum() / mask.shape[0]


def bump(height, width):
    rows, columns = np.mgrid[:height, :width] + 0.5
    away = ((columns / width - 0.5) ** 2 + (rows / height - 0.5) ** 2) / 0.1**2
    return np.exp(-away / 2).astype(np.float32)


@pytest.mark.parametrize("size", [(512, 512), (300, 300), (64, 48), (37, 53), (96, 400), (400, 80), (96, 95)])
def test_nothing_shifts(size):
    mask = bump(96, 128)
    for array in (mask, np.dstack([mask] * 3), np.dstack([mask] * 4)):
        resized = resize(array, Size(*size))
        assert resized.shape == (size[1], size[0], *array.shape[2:])
        assert resized.dtype == np.float32
        plane = resized if array.ndim == 2 else resized[..., -1]
        assert np.allclose(centroid(plane), (0.5, 0.5), atol=2e-4)


def test_reducing_does_not_alias():
    # Stripes finer than the result can show come out as the grey that they are.
    stripes = np.zeros((240, 240, 3), np.float32)
    stripes[:, ::2] = 1
    assert np.abs(resize(stripes, Size(60, 60)) - 0.5).max() < 1e-5
    noise = np.random.default_rng(0).random((512, 512, 3), np.float32)
    reduced = resize(noise, Size(64, 64))
    assert abs(reduced.std() - noise.std() / 8) < 0.003
    assert np.allclose(reduced.mean(axis=(0, 1)), noise.mean(axis=(0, 1)), atol=1e-4)


@pytest.mark.parametrize("size", [(50, 50), (333, 333), (50, 333)])
def test_flat_colour_stays_flat_and_masks_in_range(size):
    flat = np.full((120, 90, 3), [0.2, 0.7, 1.3], np.float32)
    assert np.allclose(resize(flat, Size(*size)), [0.2, 0.7, 1.3], atol=1e-5)
    mask = (np.random.default_rng(2).random((120, 90)) > 0.5).astype(np.float32)
    resized = resize(mask, Size(*size))
    assert resized.min() >= 0
    assert resized.max() <= 1


@pytest.mark.parametrize("size", [(32, 32), (200, 200)])
def test_colour_does_not_bleed_from_where_nothing_shows(size):
    picture = np.zeros((64, 64, 4), np.float32)
    picture[:, :32] = [0.8, 0.6, 0.4, 1]
    picture[:, 32:] = [0, 1, 0, 0]
    resized = resize(picture, Size(*size))
    shows = resized[..., 3] > 0.02
    assert shows.any()
    assert np.abs(resized[shows][:, :3] - [0.8, 0.6, 0.4]).max() < 1e-3
    assert resized[..., 3].min() >= 0
    assert resized[..., 3].max() <= 1


def test_there_and_back_keeps_what_the_smaller_size_can_show(photo):
    crop = photo("tea-gardens", 600, 500, 192, 160)
    smooth = resize(resize(crop, Size(48, 40)), Size(192, 160))
    again = resize(resize(smooth, Size(384, 320)), Size(192, 160))
    assert np.abs(again - smooth).mean() < 0.004


def test_the_same_size_is_the_same_picture():
    picture = bump(20, 30)
    assert resize(picture, Size(30, 20)) is picture


@pytest.mark.parametrize("scale", [2, 4])
def test_what_is_enlarged_reduces_to_what_it_was(scale):
    noise = np.random.default_rng(0).random((40, 56, 3), np.float32)
    smooth = resize(noise, Size(280, 200))
    enlarged = enlarge(smooth, scale)
    assert enlarged.shape == (200 * scale, 280 * scale, 3)
    once = resize(smooth, Size(280 * scale, 200 * scale))
    error, plain = (float(np.abs(resize(one, Size(280, 200)) - smooth).mean()) for one in (enlarged, once))
    assert error < 0.4 * plain
    assert enlarged.min() >= smooth.min()
    assert enlarged.max() <= smooth.max()
    mask = bump(96, 128)
    assert np.allclose(centroid(enlarge(np.dstack([mask] * 3), scale)[..., 0]), (0.5, 0.5), atol=2e-4)
