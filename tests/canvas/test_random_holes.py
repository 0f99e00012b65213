"""Every infill on random holes in photographs: no colour that is not in the picture, and nothing changed outside.

`PAINTBRIDGE_TEST_HOLES=500` draws as many, in crops as large as artists' contexts.
"""

import os

import numpy as np
import pytest
from random_holes import random_holes

from bridge.canvas.distance import distance_to
from bridge.canvas.infill import MODES, infill
from bridge.canvas.overlap import OVERLAP

COUNT = int(os.environ.get("PAINTBRIDGE_TEST_HOLES", "100"))
SIDES = (24, 128) if COUNT <= 100 else (24, 512)
# What blending seams adds to a copied colour at most: steps of light, up to the largest that count as such.
SEAMS = 0.1


@pytest.mark.parametrize("part", range(4))
def test_no_colour_far_outside_what_the_context_has(part):
    for number, case in enumerate(random_holes(COUNT, seed=2611, sides=SIDES)):
        if number % 4 != part:
            continue
        for mode in MODES:
            hole = 1 - case.hole if mode == "background" else case.hole
            known = (hole == 0) & (True if case.valid is None else case.valid)
            if not known.any():
                continue
            filled = infill(case.picture, hole, case.valid, mode)
            what = f"{case}, {mode}"
            assert np.isfinite(filled).all(), what
            far = known & (distance_to(hole > 0) > OVERLAP) if mode == "remove" else known
            assert np.array_equal(filled[far], case.picture[far]), what
            seen = case.picture if case.valid is None else case.picture[case.valid]
            low, high = seen.reshape(-1, 3).min(axis=0), seen.reshape(-1, 3).max(axis=0)
            if mode == "add":
                low, high = np.minimum(low, 0.5), np.maximum(high, 0.5)
            spread = SEAMS if mode == "remove" else 1e-4
            assert (filled >= low - spread).all(), what
            assert (filled <= high + spread).all(), what


def test_a_slope_of_colour_is_continued_without_a_crease():
    # Patches from either end would meet in one.
    for number in range(18):
        rng = np.random.default_rng([2612, number])
        height, width = (int(side) for side in rng.integers(60, 160, 2))
        rows, columns = np.mgrid[:height, :width]
        slope = rows[..., None] / height * rng.uniform(-1, 1, 3) + columns[..., None] / width * rng.uniform(-1, 1, 3)
        if number % 2:
            slope += np.square(columns / width - 0.4)[..., None]
        slope = ((slope - slope.min()) / np.ptp(slope)).astype(np.float32)
        if number % 3 == 0:
            slope = (np.rint(slope * 255) / 255).astype(np.float32)
        hole = np.zeros((height, width), np.float32)
        top, left = int(rng.integers(0, height // 2)), int(rng.integers(0, width // 2))
        hole[top : top + height // 2, left : left + width // 2] = 1
        filled = infill(slope, hole, None, "remove")
        assert np.abs(filled - slope).max() < 2 / 255
