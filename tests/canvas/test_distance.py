import numpy as np

from bridge.canvas.distance import distance_to


def test_distances_are_exact():
    rng = np.random.default_rng(3)
    for shape in ((1, 40), (40, 1), (87, 107), (64, 64)):
        pixels = rng.random(shape) < 0.01
        pixels[-1, -1] = True
        ys, xs = np.nonzero(pixels)
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        squared = ((rows[..., None] - ys) ** 2 + (columns[..., None] - xs) ** 2).min(axis=2)
        assert np.array_equal(distance_to(pixels), np.sqrt(squared.astype(np.float32)))


def test_distances_are_the_same_wherever_the_array_lies_in_memory():
    pixels = np.zeros((87, 107), bool)
    pixels[40:60, 30:70] = True
    first = distance_to(pixels)
    held = []
    for size in range(1, 400):
        held.append(np.empty(size * 13, np.uint8))
        assert np.array_equal(distance_to(pixels.copy()), first)
