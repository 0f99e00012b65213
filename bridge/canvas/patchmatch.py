"""The nearest-neighbour field of patches, for one level of a pyramid.

For every patch that touches the hole, find the likest patch of known pixels: Barnes et al., "PatchMatch: A Randomized
Correspondence Algorithm for Structural Image Editing", 2009. All patches move at once (numpy), and are compared by
their first principal components and their place, 16 numbers that fill a cache line.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .types import AnyArray, BoolArray, FloatArray, IndexArray

__all__ = ["PATCH", "RADIUS", "Field", "Sources", "patch_steps", "search", "times", "usable_middles"]

PATCH = 7
RADIUS = PATCH // 2

_COMPONENTS = 14
_DESCRIBED = _COMPONENTS + 2
# A patch from one picture's width (height) away is as unlikely as one that differs by this share of all variance.
# Much in photographs lies in layers, so that a source at the same height is the likelier one; all the more beyond the
# sides of a picture, where nothing else tells how far up a horizon goes on.
_SHARE_ACROSS, _SHARE_DOWN, _SHARE_DOWN_BEYOND = 0.3, 1.6, 6.0
_SAMPLES = 4000
_TURNS = 8
_BLOCK = 16384
_EXHAUSTIVE = 5_000_000


@dataclass
class Field:
    """Where each patch finds its like.

    `centres` are the flat indices of the patches' middles; `number` (h * w) the reverse, -1 where there is no patch;
    `found` the flat index of each patch's likest source; `cost` its squared distance.
    """

    centres: IndexArray
    number: IndexArray
    found: IndexArray
    cost: FloatArray


class Sources:
    """The patches of known pixels of one picture, each by its principal components and its place."""

    def __init__(self, image: FloatArray, source: BoolArray, rng: np.random.Generator, *, beyond: bool) -> None:
        """`image` (h, w, 3); `source` (h, w): the pixels that may be copied, with at least one whole patch; `beyond`:
        whether patches are wanted that lie farther out than all of them.
        """
        height, self.width = source.shape
        self.usable = usable_middles(source)
        self.positions = np.flatnonzero(self.usable)
        self._steps = patch_steps(self.width)
        sample = self.positions
        if sample.size > _SAMPLES:
            sample = rng.choice(sample, _SAMPLES, replace=False)
        patches = self._gather(image, sample)
        patches -= patches.mean(axis=0)
        covariance = times(patches.T.copy(), patches) / sample.size
        self._basis = _principal(covariance, rng)
        variance = max(float(np.trace(covariance)), 1e-6)
        shares = np.array([_SHARE_DOWN_BEYOND if beyond else _SHARE_DOWN, _SHARE_ACROSS])
        self._place = np.sqrt(shares * variance) / max(height, self.width)
        # Farther out than all sources those at the nearest side are nearest, and none is ruled out by distance.
        self._first, self._last = _corners(self.usable if beyond else np.ones_like(self.usable))
        self.described = np.zeros((height * self.width, _DESCRIBED), np.float32)
        self.described[self.positions] = self.describe(image, self.positions)

    def describe(self, image: FloatArray, centres: IndexArray) -> FloatArray:
        """(n, 16) for the patches around `centres`."""
        described = np.empty((centres.size, _DESCRIBED), np.float32)
        for start in range(0, centres.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            described[block] = times(self._gather(image, centres[block]), self._basis)
        places = np.clip(np.column_stack(np.divmod(centres, self.width)), self._first, self._last)
        described[:, _COMPONENTS:] = places * self._place
        return described

    def _gather(self, image: FloatArray, centres: IndexArray) -> FloatArray:
        patches = np.take(image.reshape(-1, 3), centres[:, None] + self._steps, axis=0)
        return patches.reshape(centres.size, -1)


def search(
    image: FloatArray, field: Field, sources: Sources, *, step: int, radius: int, rng: np.random.Generator
) -> None:
    """Improve `field` for the current `image`, whose known pixels are those of `sources`.

    Takes over the finds of neighbours `step` pixels away, then of next neighbours, then tries random places at
    distances from `radius` down to 1. Where there are few enough patches, all are compared instead.
    """
    wanted = sources.describe(image, field.centres)
    if field.centres.size * sources.positions.size <= _EXHAUSTIVE:
        _compare_all(wanted, field, sources)
        return
    field.cost = _squared(sources.described[field.found], wanted)
    for distance in (step, 1):
        for dx, dy in ((distance, 0), (0, distance), (-distance, 0), (0, -distance)):
            shift = dy * sources.width + dx
            neighbour = np.take(field.number, field.centres - shift, mode="clip")
            _try(field.found[neighbour] + shift, neighbour >= 0, wanted, field, sources)
        reach = radius
        while reach >= 1:
            dy, dx = rng.integers(-reach, reach + 1, (2, field.found.size))
            _try(field.found + dy * sources.width + dx, None, wanted, field, sources)
            reach //= 3


def usable_middles(source: BoolArray) -> BoolArray:
    """The middles of the patches that lie wholly on the picture and in `source`."""
    eroded = cv2.erode(source.astype(np.uint8), np.ones((PATCH, PATCH), np.uint8))
    usable: BoolArray = np.asarray(eroded) > 0
    usable[:RADIUS] = usable[-RADIUS:] = False
    usable[:, :RADIUS] = usable[:, -RADIUS:] = False
    return usable


def patch_steps(width: int) -> IndexArray:
    """From a patch's middle to each of its pixels, as flat indices of a picture of that width."""
    rows, columns = np.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
    return np.asarray(rows * width + columns, np.int64).ravel()


def times(a: FloatArray, b: FloatArray, *, transposed: bool = False) -> FloatArray:
    """a @ b, or a @ b.T. On matrices this slender, numpy's BLAS has its threads spin more than they multiply."""
    flags = cv2.GEMM_2_T if transposed else 0
    return np.asarray(cv2.gemm(a, b, 1, np.empty((0, 0), np.float32), 0, flags=flags), np.float32)


def _corners(area: BoolArray) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first and the last row and column of an area."""
    rows, columns = (np.flatnonzero(area.any(axis=axis)) for axis in (1, 0))
    return (int(rows[0]), int(columns[0])), (int(rows[-1]), int(columns[-1]))


def _principal(covariance: AnyArray, rng: np.random.Generator) -> FloatArray:
    """(n, 16): the first eigenvectors, as columns, nearly, and zeros, with which the product is the faster.

    A few turns of subspace iteration tell patches apart as well as exact eigenvectors.
    """
    basis = rng.standard_normal((covariance.shape[0], _COMPONENTS))
    for _ in range(_TURNS):
        basis, _triangle = np.linalg.qr(covariance @ basis)
    return np.asarray(np.pad(basis, ((0, 0), (0, _DESCRIBED - _COMPONENTS))), np.float32)


def _try(candidate: IndexArray, allowed: BoolArray | None, wanted: FloatArray, field: Field, sources: Sources) -> None:
    """Take each candidate that is a source, and likelier than what was found."""
    # An index that wraps around a side is some other source, as good as any guess.
    usable = np.take(sources.usable.ravel(), candidate, mode="clip")
    usable &= (candidate >= 0) & (candidate < sources.usable.size) & (candidate != field.found)
    if allowed is not None:
        usable &= allowed
    rows = np.flatnonzero(usable)
    candidate = candidate[rows]
    cost = _squared(sources.described[candidate], wanted[rows])
    better = cost < field.cost[rows]
    rows = rows[better]
    field.found[rows] = candidate[better]
    field.cost[rows] = cost[better]


def _compare_all(wanted: FloatArray, field: Field, sources: Sources) -> None:
    known = sources.described[sources.positions]
    lengths = np.einsum("ij,ij->i", known, known) / 2
    best = np.empty(field.centres.size, np.int64)
    rows = max(1, _EXHAUSTIVE // 4 // known.shape[0])
    for start in range(0, best.size, rows):
        block = slice(start, start + rows)
        best[block] = np.argmin(lengths - times(wanted[block], known, transposed=True), axis=1)
    field.found = sources.positions[best]
    field.cost = _squared(known[best], wanted)


def _squared(a: FloatArray, b: FloatArray) -> FloatArray:
    difference = a - b
    return np.asarray(np.einsum("ij,ij->i", difference, difference), np.float32)
