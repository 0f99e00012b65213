"""Smooth colour for unknown pixels, from the known ones around them. Unknown pixels are never read."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .poisson import NEIGHBOURS, solve_poisson
from .types import AnyArray, BoolArray, FloatArray

__all__ = ["NEUTRAL", "extend_edges", "membrane"]

NEUTRAL = 0.5
"""Mid grey: what a model sees where it is shown nothing."""

# How far a membrane may lie from the harmonic surface, at most: a quarter of one of 255 levels.
_TOLERANCE = 0.25 / 255
# More pixels than this are filled at half the size: what is smooth loses nothing by it.
_MOST_PIXELS = 1024 * 1024


def membrane(picture: FloatArray, known: BoolArray, check: Callable[[], None] = lambda: None) -> FloatArray:
    """Stretch a smooth membrane over the unknown pixels, held at the known ones: the harmonic surface between them.

    Solves Laplace's equation, level across the picture's sides. What is linear around a hole is linear within. Above a
    million pixels it is solved at half the size.

    Args:
        picture: (h, w, 3); known: (h, w).
        check: called often; what it raises ends the work.

    Returns:
        (h, w, 3), equal to `picture` where known, within the range of the known pixels next to the unknown ones
        elsewhere; `NEUTRAL` everywhere when nothing is known.
    """
    if known.all():
        return picture
    if not known.any():
        return np.full_like(picture, NEUTRAL)
    if known.size > _MOST_PIXELS:
        return _by_halves(lambda half, of_half: membrane(half, of_half, check), picture, known)
    unknown = ~known
    rim = known & (cv2.filter2D(unknown.astype(np.float32), -1, NEIGHBOURS, borderType=cv2.BORDER_CONSTANT) > 0)
    held = picture[rim]
    # Relative to their mean, a picture of one colour has nothing to solve for, and comes out exactly.
    mean = held.mean(axis=0, dtype=np.float64).astype(np.float32)
    rims = np.zeros_like(picture)
    rims[rim] = held - mean
    right_side = cv2.filter2D(rims, -1, NEIGHBOURS, borderType=cv2.BORDER_CONSTANT).reshape(picture.shape)
    surface = solve_poisson(np.asarray(right_side, np.float32), unknown, tolerance=_TOLERANCE, check=check)
    surface += mean
    # By the maximum principle the solution itself lies in this range.
    np.clip(surface, held.min(axis=0), held.max(axis=0), out=surface)
    np.copyto(surface, picture, where=known[..., None])
    return surface


def extend_edges(picture: FloatArray, known: BoolArray) -> FloatArray:
    """Carry each known edge outward: nearest known colour, softened in proportion to the distance from it.

    Args and result as for `membrane`.
    """
    if known.all():
        return picture
    if not known.any():
        return np.full_like(picture, NEUTRAL)
    if known.size > _MOST_PIXELS:
        return _by_halves(extend_edges, picture, known)
    distance, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    known_index = np.flatnonzero(known)
    source = np.zeros(int(labels.max()) + 1, np.int64)
    source[labels.ravel()[known_index]] = known_index
    height, width = known.shape
    extended: FloatArray = np.take(picture.reshape(-1, 3), source[labels], axis=0)
    result = extended.copy()
    # Each octave of distance shows the extension averaged over an area of a like size.
    octave = 2.0
    while octave < float(distance.max()):
        small = (max(1, round(width / octave)), max(1, round(height / octave)))
        soft = cv2.GaussianBlur(cv2.resize(extended, small, interpolation=cv2.INTER_AREA), (3, 3), 0)
        share = np.clip(distance / octave - 1, 0, 1)[..., None]
        result += (_enlarge(soft, width, height) - result) * share
        octave *= 2
    np.copyto(result, picture, where=known[..., None])
    return result


def _by_halves(
    fill: Callable[[FloatArray, BoolArray], FloatArray], picture: FloatArray, known: BoolArray
) -> FloatArray:
    """`fill` at half the size, enlarged under what is known."""
    height, width = known.shape
    padding = ((0, height % 2), (0, width % 2))
    # Set, not multiplied: what is unknown may be anything, even not a number.
    colour = np.pad(np.where(known[..., None], picture, np.float32(0)), (*padding, (0, 0)), mode="edge")
    weight = np.pad(known.astype(np.float32), padding, mode="edge")
    half = (weight.shape[1] // 2, weight.shape[0] // 2)
    share = np.asarray(cv2.resize(weight, half, interpolation=cv2.INTER_AREA)).reshape(half[::-1])
    summed = np.asarray(cv2.resize(colour, half, interpolation=cv2.INTER_AREA)).reshape(*half[::-1], 3)
    mean = np.asarray(summed / np.maximum(share, 0.25)[..., None], np.float32)
    filled = _enlarge(fill(mean, share > 0), 2 * half[0], 2 * half[1])[:height, :width]
    result: FloatArray = np.where(known[..., None], picture, filled)
    return result


def _enlarge(array: AnyArray, width: int, height: int) -> FloatArray:
    enlarged = cv2.resize(array, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.float32).reshape(height, width, 3)
