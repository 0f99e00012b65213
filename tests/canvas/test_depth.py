import numpy as np
import pytest

from bridge.canvas.depth import from_float, to_float
from bridge.canvas.errors import PictureMismatch, PictureUnreadable, ValueOutOfRange


@pytest.mark.parametrize(("depth", "dtype"), [("u8", "u1"), ("u16", "<u2")])
def test_every_integer_comes_back_exactly(depth, dtype):
    top = np.iinfo(dtype).max
    values = np.arange(top + 1, dtype=dtype).reshape(-1, 64, 1)
    pixels = to_float(values.tobytes(), 64, values.shape[0], 1, depth)
    assert pixels.dtype == np.float32
    assert pixels.min() == 0
    assert pixels.max() == 1
    assert np.array_equal(from_float(pixels, depth), values)


def test_every_half_float_comes_back_exactly():
    values = np.arange(1 << 16, dtype="<u2").view("<f2")
    values = values[np.isfinite(values)].reshape(1, -1, 1)
    pixels = to_float(values.tobytes(), values.shape[1], 1, 1, "f16")
    assert from_float(pixels, "f16").tobytes() == values.tobytes()


def test_floats_are_neither_cut_nor_rounded():
    values = np.array([[[-2.5, 0.1, 1.0, 7.75]]], np.float32)
    pixels = to_float(values.tobytes(), 1, 1, 4, "f32")
    assert np.array_equal(pixels, values)
    assert np.array_equal(from_float(pixels, "f32"), values)


def test_halves_are_rounded_up_and_what_lies_beyond_is_cut():
    steps = np.array([[[-3.0, 0.49, 0.5, 1.49, 1.5, 254.5, 255.4, 300.0]]], np.float32) / np.float32(255)
    assert from_float(steps, "u8").tolist() == [[[0, 0, 1, 1, 2, 255, 255, 255]]]


def test_what_is_written_is_contiguous_even_from_a_view():
    pixels = np.random.default_rng(1).random((700, 20, 4), np.float32)[::2, ::3, :3]
    for depth in ("u8", "u16", "f16", "f32"):
        written = from_float(pixels, depth)
        assert written.flags.c_contiguous
        assert written.shape == pixels.shape
        assert np.abs(to_float(written.tobytes(), 7, 350, 3, depth) - pixels).max() <= 1 / 510 + 1e-6


def test_the_pixels_are_our_own():
    data = bytearray(np.ones((2, 2, 1), np.float32).tobytes())
    pixels = to_float(data, 2, 2, 1, "f32")
    data[:] = bytes(16)
    pixels += 1
    assert (pixels == 2).all()


@pytest.mark.parametrize("size", [0, 11, 13, 24])
def test_a_wrong_length_is_an_error(size):
    with pytest.raises(PictureMismatch, match="take 12"):
        to_float(bytes(size), 2, 2, 3, "u8")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("depth", ["f16", "f32"])
def test_what_is_no_number_is_an_error(depth, value):
    values = np.zeros((3, 3, 1), {"f16": "<f2", "f32": "<f4"}[depth])
    values[1, 2, 0] = value
    with pytest.raises(PictureUnreadable):
        to_float(values.tobytes(), 3, 3, 1, depth)
    with pytest.raises(PictureUnreadable):
        from_float(values.astype(np.float32), depth)
    with pytest.raises(PictureUnreadable):
        from_float(values.astype(np.float32), "u8")


def test_what_half_floats_cannot_hold_is_an_error():
    with pytest.raises(PictureUnreadable):
        from_float(np.full((1, 1, 1), 70000, np.float32), "f16")


def test_an_unknown_depth_is_an_error():
    with pytest.raises(ValueOutOfRange, match="u24"):
        to_float(b"", 1, 1, 1, "u24")
