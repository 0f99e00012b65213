"""Smooth colour for unknown pixels, from the known ones around them. Unknown pixels are never read."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .types import AnyArray, BoolArray, FloatArray

__all__ = ["NEUTRAL", "extend_edges", "membrane"]

NEUTRAL = 0.5
"""Mid grey: what a model sees where it is shown nothing."""

# What is smooth loses nothing by being made at half the size.
_MOST_PIXELS = 1024 * 1024
_RELAXATIONS_COARSE, _RELAXATIONS_FINE = 12, 3
_COARSE_PIXELS = 256 * 256


def membrane(picture: FloatArray, known: BoolArray) -> FloatArray:
    """Stretch a smooth membrane over the unknown pixels, held at the known ones.

    A pyramid of known colour, averaged downward by known area and filled in on the way up (Gortler et al., "The
    Lumigraph", 1996, section 3.4), each level then relaxed toward the harmonic surface.

    Args:
        picture: (h, w, 3); known: (h, w).

    Returns:
        (h, w, 3), equal to `picture` where known; `NEUTRAL` everywhere when nothing is known.
    """
    if known.all():
        return picture
    if not known.any():
        return np.full_like(picture, NEUTRAL)
    if known.size > _MOST_PIXELS:
        return _by_halves(membrane, picture, known)
    weight = known.astype(np.float32)
    # Set, not multiplied: what is unknown may be anything, even not a number.
    colour = np.where(known[..., None], picture, np.float32(0))
    levels = [(colour, weight)]
    while min(weight.shape) > 1 and float(weight.min()) < 1:
        colour, weight = _halve(*levels[-1])
        levels.append((colour, weight))
    filled, weight = levels.pop()
    if float(weight.min()) < 1:
        mean = (filled * weight[..., None]).sum(axis=(0, 1)) / weight.sum()
        filled = filled * weight[..., None] + mean * (1 - weight[..., None])
    for colour, weight in reversed(levels):
        height, width = weight.shape
        coarse = _enlarge(filled, width, height)
        filled = _relax(coarse, colour, weight)
    np.copyto(filled, picture, where=known[..., None])
    return filled


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
    colour, weight = _halve(np.where(known[..., None], picture, np.float32(0)), known.astype(np.float32))
    height, width = known.shape
    filled = _enlarge(fill(colour, weight > 0.5), width, height)
    np.copyto(filled, picture, where=known[..., None])
    return filled


def _halve(colour: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """One level up: known colour averaged by known area; a quarter of known area counts as known."""
    summed = cv2.pyrDown(colour * weight[..., None])
    area = cv2.pyrDown(weight)
    halved = summed.reshape(*area.shape, 3) / np.maximum(area, 1e-6)[..., None]
    return halved.astype(np.float32), np.minimum(area * 4, 1).astype(np.float32)


def _enlarge(array: AnyArray, width: int, height: int) -> FloatArray:
    enlarged = cv2.resize(array, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged, np.float32).reshape(height, width, 3)


def _relax(filled: FloatArray, colour: FloatArray, weight: FloatArray) -> FloatArray:
    """Jacobi steps of Laplace's equation, held at `colour` by `weight`."""
    free = 1 - weight[..., None]
    held = colour * weight[..., None]
    filled = held + filled * free
    steps = _RELAXATIONS_COARSE if weight.size <= _COARSE_PIXELS else _RELAXATIONS_FINE
    for _ in range(steps):
        filled = np.asarray(cv2.blur(filled, (3, 3), borderType=cv2.BORDER_REPLICATE), np.float32).reshape(filled.shape)
        filled *= free
        filled += held
    return filled
