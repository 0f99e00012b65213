"""The solver against a direct one, on random shapes and sizes."""

from functools import partial

import numpy as np
import pytest
from random_holes import SHAPES, random_shape
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve

from bridge.canvas import poisson
from bridge.canvas.poisson import NotConverged, solve_poisson

SCREENINGS = (0.0, 64.0**-2, 12.0**-2)
TOLERANCE = 0.25 / 255


def cases(count, seed, *, sides=(1, 150)):
    """(what it is, right side, unknown, screening): jumps between pieces, or noise."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        shape = (*SHAPES, "all")[number % (len(SHAPES) + 1)]
        height, width = (int(side) for side in rng.integers(sides[0], sides[1] + 1, 2))
        unknown = np.ones((height, width), bool) if shape == "all" else random_shape(rng, shape, height, width)
        screening = SCREENINGS[number % len(SCREENINGS)]
        if screening == 0 and unknown.all():
            unknown[rng.integers(height), rng.integers(width)] = False
        if number % 2:
            right_side = rng.normal(0, 0.05, (height, width, 3))
        else:
            pieces = rng.uniform(0, 0.3, (height // 9 + 1, width // 9 + 1, 3)).repeat(9, 0).repeat(9, 1)
            right_side = laplacian(pieces[:height, :width])
        yield f"{seed}.{number} {shape} {width}x{height}", right_side.astype(np.float32), unknown, screening


def laplacian(values):
    """The sum over each pixel's neighbours of what it has more than they."""
    result = np.zeros_like(values)
    for axis in (0, 1):
        step = np.diff(values, axis=axis)
        first, second = [slice(None)] * 3, [slice(None)] * 3
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        result[tuple(first)] -= step
        result[tuple(second)] += step
    return result


def directly(right_side, unknown, screening):
    """(h, w, 3) float64, by SuperLU."""
    height, width = unknown.shape
    if not unknown.any():
        return np.zeros(right_side.shape)
    number = np.full((height + 2, width + 2), -2)
    number[1:-1, 1:-1] = -1
    number[1:-1, 1:-1][unknown] = np.arange(unknown.sum())
    own = number[1:-1, 1:-1][unknown]
    diagonal = np.full(own.size, screening)
    rows, columns = [own], [own]
    for y, x in ((0, 1), (1, 0), (1, 2), (2, 1)):
        beside = number[y : y + height, x : x + width][unknown]
        diagonal += beside != -2
        rows.append(own[beside >= 0])
        columns.append(beside[beside >= 0])
    values = np.concatenate([diagonal, np.full(sum(len(part) for part in rows[1:]), -1.0)])
    matrix = coo_matrix((values, (np.concatenate(rows), np.concatenate(columns)))).tocsc()
    solution = np.zeros(right_side.shape)
    for channel in range(3):
        solution[unknown, channel] = spsolve(matrix, right_side[unknown, channel].astype(np.float64))
    return solution


@pytest.mark.parametrize("seed", range(10))
def test_as_near_a_direct_solution_as_is_asked_for(seed):
    for name, right_side, unknown, screening in cases(30, seed):
        found = solve_poisson(right_side, unknown, screening=screening, tolerance=TOLERANCE)
        exact = directly(right_side, unknown, screening)
        assert found.dtype == np.float32, name
        assert not found[~unknown].any(), name
        allowed = max(TOLERANCE, 5e-4 * np.abs(exact).max())
        assert np.abs(found - exact).max() <= allowed, name


def test_the_preconditioner_is_symmetric_and_positive_on_every_shape():
    # That alone is why conjugate gradients converge whatever the shape.
    for name, _, unknown, screening in cases(60, 100, sides=(1, 28)):
        if not unknown.any():
            continue
        grids = poisson._grids(unknown, screening)
        columns = []
        for y, x in np.argwhere(unknown):
            one = np.zeros(unknown.shape, np.float32)
            one[y, x] = 1
            columns.append(poisson._cycled(grids, one)[unknown])
        matrix = np.array(columns, np.float64)
        assert np.abs(matrix - matrix.T).max() <= 1e-5 * np.abs(matrix).max(), name
        assert np.linalg.eigvalsh((matrix + matrix.T) / 2).min() > 0.05, name


def test_few_iterations_on_every_shape_and_size():
    for sides in ((3, 40), (100, 300), (500, 700)):
        for name, right_side, unknown, screening in cases(10, 200, sides=sides):
            count = []
            solve_poisson(
                right_side[..., :1], unknown, screening=screening, tolerance=TOLERANCE, check=partial(count.append, 1)
            )
            halvings = int(np.log2(max(unknown.shape)))
            assert len(count) <= 12 * (halvings + 1), name


def test_nothing_to_solve_and_nothing_to_spread_give_nothing():
    assert not solve_poisson(np.ones((9, 7, 3), np.float32), np.zeros((9, 7), bool), tolerance=1e-3).any()
    unknown = np.ones((9, 7), bool)
    assert not solve_poisson(np.zeros((9, 7, 3), np.float32), unknown, screening=0.1, tolerance=1e-3).any()


def test_what_lies_at_known_pixels_is_not_read():
    _, right_side, unknown, _ = next(iter(cases(1, 300, sides=(60, 60))))
    found = solve_poisson(right_side, unknown, screening=0.01, tolerance=1e-3)
    right_side[~unknown] = np.nan
    assert np.array_equal(solve_poisson(right_side, unknown, screening=0.01, tolerance=1e-3), found)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_an_error(value):
    right_side = np.zeros((40, 50, 3), np.float32)
    right_side[20, 20, 1] = value
    with np.errstate(invalid="ignore"), pytest.raises(NotConverged):
        solve_poisson(right_side, np.ones((40, 50), bool), screening=0.01, tolerance=1e-3)


def test_it_ends_when_told_to():
    class Enough(Exception):
        pass

    def check():
        raise Enough

    ones = np.ones((40, 50, 3), np.float32)
    with pytest.raises(Enough):
        solve_poisson(ones, ones[..., 0] > 0, screening=0.01, tolerance=1e-3, check=check)
