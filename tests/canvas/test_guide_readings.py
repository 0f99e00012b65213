"""How pictures of each kind are read, and brought to another size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.canvas.geometry import Size
from bridge.canvas.guides import depths, facing, laid_on, read_guide, resized_normals
from bridge.control_kinds import CONTROL_KINDS, PictureReading


def read(picture, reading, size=None):
    return read_guide(picture, reading, lambda array, resized: array if size is None else resized(array, size))


@given(
    st.sampled_from(sorted(CONTROL_KINDS)),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_any_picture_is_read_within_its_range(kind, height, width, tall, wide, seed):
    rng = np.random.default_rng(seed)
    for channels in CONTROL_KINDS[kind].channels:
        picture = rng.random((height, width, channels)).astype(np.float32)
        shown = read(picture, CONTROL_KINDS[kind].reading, Size(wide, tall))
        assert shown.shape == (tall, wide, 3)
        assert shown.dtype == np.float32
        assert -1e-6 <= shown.min() <= shown.max() <= 1 + 1e-6


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_depth_is_grey_and_far_where_nothing_is(channels):
    grey = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    picture = np.repeat(grey[..., None], channels, axis=2)
    if channels == 4:
        picture[..., 3] = 1
        picture[0, :, 3] = 0
        grey = np.where(np.arange(3)[:, None] == 0, 0, grey)
    assert np.allclose(depths(picture), grey, atol=1e-6)


def test_what_is_transparent_faces_us_and_lies_on_its_ground():
    clear = np.zeros((2, 2, 4), np.float32)
    assert np.allclose(facing(clear), [0.5, 0.5, 1])
    assert np.allclose(read(clear, PictureReading.FIGURES), 0)
    assert np.allclose(read(clear, PictureReading.COLOURS), 1)
    half = np.dstack([np.ones((1, 1, 3), np.float32), np.full((1, 1), 0.5, np.float32)])
    assert np.allclose(laid_on(half, np.zeros(3, np.float32)), 0.5)


def test_normals_stay_of_length_one():
    left, up = (np.array(one, np.float32) / 2 + 0.5 for one in ((0.6, 0, 0.8), (0, 0.6, 0.8)))
    normals = np.where(np.arange(8)[None, :, None] < 4, left, up).repeat(8, axis=0).astype(np.float32)
    between = resized_normals(normals, Size(19, 5))
    assert np.allclose(np.linalg.norm(between * 2 - 1, axis=2), 1, atol=1e-5)
    assert resized_normals(normals, Size(8, 8)) is normals


def test_every_kind_has_three_presets_and_words():
    for kind in (one for one in CONTROL_KINDS.values() if one.is_map):
        assert len(kind.presets) == 3
        assert [one.strength for one in kind.presets] == sorted(one.strength for one in kind.presets)
        assert all(0 <= one.start < one.end <= 1 and 0 < one.strength <= 2 for one in kind.presets)
        assert kind.says
        assert kind.words
    words = [word for kind in CONTROL_KINDS.values() for word in kind.words]
    assert len(words) == len(set(words))
