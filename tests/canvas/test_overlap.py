"""How far what is new reaches into what is known, where a picture is continued beyond its sides."""

import numpy as np
from random_holes import random_shape

from bridge.canvas.distance import distance_to
from bridge.canvas.overlap import OVERLAP, overlap_edges


def test_nothing_changes_farther_off_than_it_says():
    changed = 0
    for number in range(60):
        rng = np.random.default_rng([2614, number])
        height, width = (int(side) for side in rng.integers(60, 300, 2))
        target = random_shape(rng, "blobs", height, width)
        if not target.any() or target.all():
            continue
        picture = rng.random((height, width, 3), np.float32)
        origin = np.where(target, rng.permutation(height * width).reshape(height, width), -1)
        result = overlap_edges(picture, picture, target, ~target, origin)
        far = distance_to(target) > OVERLAP
        assert np.array_equal(result[far | target], picture[far | target]), number
        changed += int((result != picture).any())
    assert changed > 30
