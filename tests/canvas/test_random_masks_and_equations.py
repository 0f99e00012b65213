"""Masks and Poisson's equation on random shapes: mirrored, turned, moved; and solved."""

import itertools

import numpy as np
import pytest
from random_holes import SHAPES, random_shape

from bridge.canvas import poisson
from bridge.canvas.geometry import Edges
from bridge.canvas.mask import build_masks
from bridge.canvas.poisson import solve_poisson

NO_EDGE = Edges(False, False, False, False)


def drawn(shape, number, sides=(20, 90)):
    """A shape (h, w) bool that is neither empty nor all, and the generator that drew it."""
    rng = np.random.default_rng([2711, SHAPES.index(shape), number])
    height, width = (int(side) for side in rng.integers(*sides, 2))
    found = random_shape(rng, shape, height, width)
    if not found.any() or found.all():
        found[:] = False
        found[height // 3, width // 4 : width // 2 + 1] = True
    return found, rng


def masks_of(selection, rng_seed):
    rng = np.random.default_rng(rng_seed)
    options = {
        "grow": float(rng.integers(0, 6)),
        "feather": float(rng.choice([0, 3, 10])),
        "strict": rng.random() < 0.3,
    }
    return build_masks(np.ascontiguousarray(selection), canvas_edges=NO_EDGE, **options)


TURNS = {
    "mirrored": lambda array: array[:, ::-1],
    "upside down": lambda array: array[::-1],
    "turned": np.rot90,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_masks_follow_their_selection(shape):
    for number in range(4):
        found, rng = drawn(shape, number)
        selection = (found * rng.uniform(0.2, 1, found.shape)).astype(np.float32) if number % 2 else found.astype("f4")
        straight = masks_of(selection, number)
        for turn in TURNS.values():
            turned = masks_of(turn(selection), number)
            assert np.allclose(turned.alpha, turn(straight.alpha), atol=1e-5)
            assert np.allclose(turned.denoise, turn(straight.denoise), atol=1e-5)
        # Farther from the context's sides than any mask reaches, so that these cut off nothing.
        wide, moved = (np.pad(selection, ((40 + by, 40 - by), (40 - by, 40 + by))) for by in (0, 15))
        here, there = masks_of(wide, number), masks_of(moved, number)
        assert np.array_equal(np.roll(here.alpha, (15, -15), (0, 1)), there.alpha)
        assert np.array_equal(np.roll(here.denoise, (15, -15), (0, 1)), there.denoise)


def residual(solution, right_side, unknown, screening):
    """What is left of the equation at unknown pixels, at most."""
    left = np.zeros_like(solution, np.float64)
    for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        beside = np.roll(solution, shift, axis).astype(np.float64)
        there = np.ones(unknown.shape, bool)
        there[(0 if shift == 1 else -1, slice(None)) if axis == 0 else (slice(None), 0 if shift == 1 else -1)] = False
        left += np.where(there[..., None], solution - beside, 0)
    return np.abs(left + screening * solution - right_side)[unknown].max()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_equation_is_solved_on_every_shape_and_its_residual_falls_each_round(shape, monkeypatch):
    rounds, cycled = [], poisson._cycled

    def watched(grids, right_side):
        # Within a round coarser grids are cycled, too.
        if grids[0].unknown.shape == shape_of[0]:
            rounds.append(float(np.linalg.norm(right_side)))
        return cycled(grids, right_side)

    monkeypatch.setattr(poisson, "_cycled", watched)
    for number in range(4):
        unknown, rng = drawn(shape, number)
        shape_of = [unknown.shape]
        right_side = rng.standard_normal((*unknown.shape, 1)).astype(np.float32)
        screening = (0.0, 0.01)[number % 2]
        rounds.clear()
        solved = solve_poisson(right_side, unknown, screening=screening, tolerance=1e-3)
        scale = max(1.0, float(np.abs(solved).max()))
        assert 1 <= len(rounds) <= 10
        assert all(later < earlier for earlier, later in itertools.pairwise(rounds)), rounds
        assert (solved[~unknown] == 0).all()
        assert residual(solved, right_side, unknown, screening) <= 0.02 * scale
        mirrored = solve_poisson(
            np.ascontiguousarray(right_side[:, ::-1]),
            np.ascontiguousarray(unknown[:, ::-1]),
            screening=screening,
            tolerance=1e-3,
        )
        assert np.abs(mirrored[:, ::-1] - solved).max() <= 2e-3 * scale
