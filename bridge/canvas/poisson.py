"""The screened Poisson equation on any set of pixels, solved to a stated error.

Conjugate gradients, preconditioned by one V-cycle of geometric multigrid (Tatebe, "The Multigrid Preconditioned
Conjugate Gradient Method", 1993). The V-cycle is symmetric and positive definite on every shape: restriction is the
transpose of prolongation, the sweeps after the coarse grid are those before it in reverse order, and none of them can
amplify anything. So conjugate gradients always converge, and multigrid only decides how fast: in 3 to 9 iterations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from .types import BoolArray, FloatArray

__all__ = ["NEIGHBOURS", "NotConverged", "solve_poisson"]

NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)
"""The kernel that adds up a pixel's four neighbours."""

# The coarsest grid has no longer side than this, and is solved directly.
_COARSEST_SIDE = 8
# Relaxation factors of damped Jacobi: the roots of Chebyshev's polynomial on the upper part of the spectrum, (0.5, 2],
# which a coarser grid can't hold. The product of the sweeps stays below 1 on all of (0, 2].
_SWEEPS = tuple(1 / (1.25 + 0.75 * math.cos(math.pi * (2 * sweep + 1) / 4)) for sweep in range(2))
_BLUR = np.array([[0.25], [0.5], [0.25]], np.float32)
# The error is estimated by the preconditioner, which may see a quarter of it only.
_ESTIMATED_SHARE = 0.25
# What float32 can't tell, as a share of the greatest value.
_PRECISION = 1e-5
_MOST_ITERATIONS = 100


class NotConverged(ArithmeticError):
    """The error didn't fall below the tolerance: the right side holds something that is not a finite number."""


@dataclass(frozen=True)
class _Grid:
    """The matrix on one grid.

    `unknown` (h, w) is 1 where there is something to solve for, else 0. `diagonal` (h, w) is the matrix's, and
    `inverse` 1 over it where unknown, else 0. Off the diagonal there is -1 for each pair of unknown neighbours.
    """

    unknown: FloatArray
    diagonal: FloatArray
    inverse: FloatArray

    def times(self, value: FloatArray) -> FloatArray:
        """The matrix times a value that is 0 where nothing is unknown."""
        product = self.diagonal * value
        product -= _neighbours(value)
        product *= self.unknown
        return product

    def sweep(self, value: FloatArray, right_side: FloatArray, factor: float) -> None:
        """One step of damped Jacobi, in place."""
        target = _neighbours(value)
        target += right_side
        target *= self.inverse
        cv2.addWeighted(value, 1 - factor, target, factor, 0, dst=value)

    def solved(self, right_side: FloatArray) -> FloatArray:
        """The solution, directly: for a few pixels only."""
        height, width = right_side.shape
        y, x = np.divmod(np.arange(right_side.size), width)
        beside = np.abs(y[:, None] - y) + np.abs(x[:, None] - x) == 1
        free = self.inverse.ravel() > 0
        matrix = np.diag(np.where(free, self.diagonal.ravel(), 1).astype(np.float64)) - (beside & free & free[:, None])
        value = np.linalg.solve(matrix, np.where(free, right_side.ravel(), 0))
        return np.asarray(value, np.float32).reshape(height, width)


def solve_poisson(
    right_side: FloatArray,
    unknown: BoolArray,
    *,
    screening: float = 0.0,
    tolerance: float,
    check: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Solve (screening - Laplacian) u = right_side, with u = 0 at known pixels.

    At each unknown pixel, the sum over its neighbours n in the array of (u - u_n), plus screening x u, equals the right
    side. No neighbour, no term: across the array's sides u is level (Neumann's condition).

    Args:
        right_side: (h, w, channels), read where unknown.
        unknown: (h, w).
        screening: from 0 up, in 1 / pixel^2: u fades within about screening ** -0.5 pixels. With 0, at least one pixel
            must be known.
        tolerance: the greatest error wanted at any pixel, in units of u; where u is large, about 3e-4 of the
            greatest, which is all that float32 gives.
        check: called at each iteration, from several threads; what it raises ends the work.

    Returns:
        (h, w, channels) u. The same bits on every run.

    Raises:
        NotConverged: the right side holds something that is not a finite number.
    """
    solution = np.zeros_like(right_side)
    if not unknown.any():
        return solution
    grids = _grids(unknown, screening)

    def solve(channel: int) -> None:
        side = np.where(unknown, right_side[..., channel], np.float32(0))
        solution[..., channel] = _solved(grids, side, _ESTIMATED_SHARE * tolerance, check)

    channels = right_side.shape[2]
    with ThreadPoolExecutor(max_workers=channels) as pool:
        for _ in pool.map(solve, range(channels)):
            pass
    return solution


def _grids(unknown: BoolArray, screening: float) -> list[_Grid]:
    """The grids, the finest first, each of half the last one's sides, rounded up.

    A coarse pixel is unknown where any of its fine ones is. Known neighbours are left out of it, and what they do to
    the diagonal is carried over, so that neither a thin line nor a single known pixel is lost on the way.
    """
    share = unknown.astype(np.float32)
    held = _neighbours((~unknown).astype(np.float32)) * share
    grids: list[_Grid] = []
    step = 1.0
    while True:
        mask = (share > 0).astype(np.float32)
        diagonal = np.asarray(_neighbours(mask) + held + np.float32(screening * step * step) * share, np.float32)
        free = (mask > 0) & (diagonal > 0)
        inverse = np.asarray(np.divide(1, diagonal, out=np.zeros_like(diagonal), where=free), np.float32)
        grids.append(_Grid(mask, diagonal, inverse))
        if max(mask.shape) <= _COARSEST_SIDE:
            return grids
        # The first pixel beyond a coarse pixel's side lies step / 2 + 1 / 2 from its middle, and holds it by that less.
        held = np.asarray(_summed(held) * np.float32((step / 2 + 0.5) / (step + 0.5)), np.float32)
        share = np.asarray(_summed(share) / 4, np.float32)
        step *= 2


def _solved(grids: list[_Grid], right_side: FloatArray, tolerance: float, check: Callable[[], None]) -> FloatArray:
    """u (h, w) on the first of the grids, starting from the solution on the next."""
    grid = grids[0]
    if len(grids) == 1:
        return grid.solved(right_side)
    value = _prolonged(_solved(grids[1:], _restricted(right_side, grids[1]), tolerance, check), grid)
    residual = right_side - grid.times(value)
    tolerance = max(tolerance, _PRECISION * float(np.abs(value).max()))
    direction: FloatArray | None = None
    scratch = np.empty_like(value)
    last = 0.0
    for _ in range(_MOST_ITERATIONS):
        check()
        # About what the value lacks: the preconditioner is nearly the matrix's inverse.
        step = _cycled(grids, residual)
        lacking = float(np.abs(step, out=scratch).max())
        if lacking <= tolerance:
            value += step
            return value
        if not math.isfinite(lacking):
            break
        # Not by BLAS, whose sums may differ with where an array lies in memory.
        product = float(np.multiply(residual, step, out=scratch).sum(dtype=np.float64))
        if direction is None:
            direction = step
        else:
            direction *= np.float32(product / last)
            direction += step
        last = product
        changed = grid.times(direction)
        length = product / float(np.multiply(direction, changed, out=scratch).sum(dtype=np.float64))
        cv2.scaleAdd(direction, length, value, dst=value)
        cv2.scaleAdd(changed, -length, residual, dst=residual)
    raise NotConverged(f"Poisson's equation on {value.shape[1]} x {value.shape[0]} pixels did not converge.")


def _cycled(grids: list[_Grid], right_side: FloatArray) -> FloatArray:
    """One V-cycle from 0: about the solution."""
    grid = grids[0]
    if len(grids) == 1:
        return grid.solved(right_side)
    value = right_side * grid.inverse
    value *= np.float32(_SWEEPS[0])
    for factor in _SWEEPS[1:]:
        grid.sweep(value, right_side, factor)
    coarse = _cycled(grids[1:], _restricted(right_side - grid.times(value), grids[1]))
    value += _prolonged(coarse, grid)
    for factor in _SWEEPS[::-1]:
        grid.sweep(value, right_side, factor)
    return value


def _neighbours(value: FloatArray) -> FloatArray:
    """The sum of each pixel's four neighbours, (h, w)."""
    summed = cv2.filter2D(value, -1, NEIGHBOURS, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(summed, np.float32).reshape(value.shape)


def _restricted(residual: FloatArray, coarser: _Grid) -> FloatArray:
    """To the next coarser grid: the transpose of `_prolonged`. The residual is 0 where nothing is unknown."""
    blurred = cv2.sepFilter2D(residual, -1, _BLUR, _BLUR, borderType=cv2.BORDER_REPLICATE)
    return _summed(np.asarray(blurred, np.float32)) * coarser.unknown


def _prolonged(coarse: FloatArray, grid: _Grid) -> FloatArray:
    """From the next coarser grid, linearly between the middles of its pixels."""
    height, width = grid.unknown.shape
    doubled = (2 * coarse.shape[1], 2 * coarse.shape[0])
    fine = np.asarray(cv2.resize(coarse, doubled, interpolation=cv2.INTER_LINEAR)).reshape(doubled[::-1])
    return np.asarray(fine[:height, :width] * grid.unknown, np.float32)


def _summed(value: FloatArray) -> FloatArray:
    """The sums of 2 x 2 pixels each; beyond odd sides there is 0."""
    height, width = value.shape
    half = ((width + 1) // 2, (height + 1) // 2)
    even = cv2.copyMakeBorder(value, 0, height % 2, 0, width % 2, cv2.BORDER_CONSTANT, value=0)
    mean = cv2.resize(even, half, interpolation=cv2.INTER_AREA)
    return np.asarray(4 * mean, np.float32).reshape(half[::-1])
