import numpy as np
import pytest

from bridge.canvas.geometry import Size
from bridge.canvas.guides import drawn_lines, label_colours, resized_labels, resized_lines

SHAPE = (40, 60)


def cross(value, ground):
    drawing = np.full(SHAPE, ground, np.float32)
    drawing[18:21] = value
    drawing[:, 30:33] = value
    return drawing


LINES = cross(1, 0)


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(LINES[..., None], id="coverage"),
        pytest.param(np.dstack([cross(0, 1)] * 3), id="ink on paper"),
        pytest.param(np.dstack([cross(1, 0)] * 3), id="chalk on a board"),
        pytest.param(np.dstack([cross(0, 1)] * 3 + [np.ones(SHAPE, np.float32)]), id="an opaque layer"),
        pytest.param(np.dstack([cross(0, 0.4)] * 3 + [LINES]), id="dark strokes on a clear layer"),
        pytest.param(np.dstack([cross(1, 0.4)] * 3 + [LINES]), id="light strokes on a clear layer"),
    ],
)
def test_lines_are_told_from_their_ground(picture):
    assert np.allclose(drawn_lines(picture), LINES, atol=1e-6)


def test_lines_thinner_than_a_pixel_keep_their_strength():
    thin = np.zeros((512, 512), np.float32)
    thin[200] = 1
    thin[:, 100:116] = 1
    reduced = resized_lines(thin, Size(64, 64))
    assert reduced[25].min() == 1
    assert reduced[:, 12:14].min() == 1
    assert reduced[:20, 20:].max() == 0
    # A tint of the paper is no line.
    assert np.allclose(resized_lines(np.full((512, 512), 0.05, np.float32), Size(64, 64)), 0.05)
    grown = resized_lines(thin, Size(1024, 1024))
    assert grown.shape == (1024, 1024)
    assert 0 <= grown.min() <= grown.max() <= 1


@pytest.mark.parametrize("size", [(30, 20), (90, 60), (61, 41)])
def test_labels_stay_colours_that_there_are(size):
    rng = np.random.default_rng(0)
    colours = rng.random((5, 3)).astype(np.float32)
    labels = colours[rng.integers(0, 5, (40, 60))]
    resized = resized_labels(labels, Size(*size))
    assert resized.shape == (size[1], size[0], 3)
    there = (resized[:, :, None] == colours).all(axis=-1)
    assert (there.sum(axis=-1) == 1).all()
    assert len(np.unique(resized.reshape(-1, 3), axis=0)) == 5


def test_labels_are_where_they_were():
    labels = np.zeros((40, 60, 3), np.float32)
    labels[:20] = (0.2, 0.4, 0.6)
    resized = resized_labels(labels, Size(30, 20))
    assert (resized[:10] == np.float32((0.2, 0.4, 0.6))).all()
    assert (resized[10:] == 0).all()


def test_what_is_transparent_in_a_label_map_means_nothing():
    labels = np.full((4, 4, 4), 0.5, np.float32)
    labels[..., 3] = 1
    labels[0, :, 3] = 0.2
    colours = label_colours(labels)
    assert (colours[0] == 0).all()
    assert (colours[1:] == 0.5).all()
    assert np.array_equal(label_colours(labels[..., :3]), labels[..., :3])
