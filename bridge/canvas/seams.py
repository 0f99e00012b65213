"""Hide the seams between copied pieces whose light differs a little.

Perez et al., "Poisson Image Editing", 2003, for many pieces at once: each piece keeps its own gradients, and what steps
remain between pieces are spread out. Steps too large to be light are edges, and stay.
"""

from __future__ import annotations

import cv2
import numpy as np

from .distance import distance_to
from .geometry import Rect
from .mask import selection_bounds
from .surroundings import membrane
from .types import BoolArray, FloatArray, IndexArray

__all__ = ["blend_seams"]

# Steps larger than about this are edges: in texture, and where there is next to none.
_LARGEST_STEP, _LARGEST_STEP_FLAT = 0.06, 0.15
# Mean steps between neighbours below about this are next to no texture.
_FLAT = 0.012
# What is left of the limit among pieces of a few pixels.
_CRUMBS_SHARE = 0.12
# How far, in pixels, a correction reaches: from known pixels; and between pieces beyond the edge of a picture, where
# they lean on each other only and slopes that repeat would add up, to a tint at the far side.
_REACH, _REACH_OPEN = 64.0, 12.0
_CYCLES = 6
_SWEEPS = 3
_SWEEPS_COARSEST = 30
_COARSEST_SIDE = 6
_DAMPING = 0.8
_CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32)


def blend_seams(
    composite: FloatArray,
    picture: FloatArray,
    target: BoolArray,
    source: BoolArray,
    origin: IndexArray,
    *,
    open_ended: bool,
) -> FloatArray:
    """Smooth what was copied.

    Args:
        composite: (h, w, 3), `picture` with `target` copied.
        picture: (h, w, 3).
        target, source: (h, w): what was copied, and what may be looked at.
        origin: (h, w) flat index that each target pixel was copied from; it is in `source`.
        open_ended: whether the target reaches a side of the picture, so that it is not known all around.

    Returns:
        (h, w, 3), equal to `composite` outside `target`.
    """
    bounds = selection_bounds(target.astype(np.float32))
    if bounds is None:
        return composite
    whole = Rect(0, 0, target.shape[1], target.shape[0])
    window = (bounds.expanded(1).intersection(whole) or whole).slices
    inside = target[window]
    steps = [_steps(composite, picture, target, source, origin, axis=axis, window=window) for axis in (0, 1)]
    result = composite.copy()
    if open_ended:
        off, rim = _off_at_rim(steps, inside)
        # Light goes on as it arrives at the picture's edge. Held there alone, Poisson's equation would not settle.
        fade = np.exp(-distance_to(rim)[inside] / np.float32(_REACH))
        result[window][inside] += membrane(off, rim)[inside] * fade[:, None]
        between = [np.where(~_crosses_rim(inside, axis)[..., None], steps[axis], 0) for axis in (0, 1)]
        result[window] += _spread(_divergence(between), inside, _REACH_OPEN)
    else:
        result[window] += _spread(_divergence(steps), inside, _REACH)
    return result


def _off_at_rim(steps: list[FloatArray], inside: BoolArray) -> tuple[FloatArray, BoolArray]:
    """By how much the pixels inside that lie next to known ones miss what these ask for; and which those are."""
    crosses = [_crosses_rim(inside, axis)[..., None] for axis in (0, 1)]
    count = np.zeros((*inside.shape, 1), np.float32)
    for axis in (0, 1):
        for side in _pair(axis):
            count[side] += crosses[axis]
    count *= inside[..., None]
    missed = _divergence([np.where(crosses[axis], steps[axis], 0) for axis in (0, 1)])
    return np.asarray(missed / np.maximum(count, 1), np.float32), count[..., 0] > 0


def _crosses_rim(inside: BoolArray, axis: int) -> BoolArray:
    """Between each pixel and the next: whether one is inside, and one is not."""
    first, second = _pair(axis)
    crosses: BoolArray = inside[first] != inside[second]
    return crosses


def _divergence(steps: list[FloatArray]) -> FloatArray:
    """For each pixel: the steps after it along both axes, less those before it."""
    height, width = steps[1].shape[0], steps[0].shape[1]
    divergence = np.zeros((height, width, 3), np.float32)
    for axis in (0, 1):
        first, second = _pair(axis)
        divergence[first] += steps[axis]
        divergence[second] -= steps[axis]
    return divergence


def _spread(divergence: FloatArray, inside: BoolArray, reach: float) -> FloatArray:
    """The correction that takes up these steps, and fades within about `reach` pixels."""
    correction = np.zeros_like(divergence)
    for _ in range(_CYCLES):
        correction = _cycle(correction, divergence, inside.astype(np.float32)[..., None], reach**-2)
    return correction


def _pair(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Each pixel that has a next one along the axis, and that next one."""
    first, second = [slice(None), slice(None)], [slice(None), slice(None)]
    first[axis], second[axis] = slice(None, -1), slice(1, None)
    return tuple(first), tuple(second)


def _steps(
    composite: FloatArray,
    picture: FloatArray,
    target: BoolArray,
    source: BoolArray,
    origin: IndexArray,
    *,
    axis: int,
    window: tuple[slice, slice],
) -> FloatArray:
    """Between each pixel of the window and the next: by how much the composite steps more than its pieces do."""
    stride = picture.shape[1] if axis == 0 else 1
    first, second = _pair(axis)
    colours, usable = picture.reshape(-1, 3), source.ravel()
    origin, target, composite = origin[window], target[window], composite[window]
    one, other = origin[first], origin[second]
    # Inside a piece there is no step to find; that is nearly everywhere.
    seam = (target[first] | target[second]) & ((one < 0) | (other < 0) | (other - one != stride))
    steps = np.zeros((*seam.shape, 3), np.float32)
    one, other = one[seam], other[seam]
    wanted = np.zeros((one.size, 3), np.float32)
    count = np.zeros(one.size, np.float32)
    for begin, end, has in ((one, one + stride, one >= 0), (other - stride, other, other >= 0)):
        # What the piece does next to its own pixel, where that is a source too; else it is taken to stay level.
        has = has & (begin >= 0) & (end < usable.size)
        has &= np.take(usable, begin, mode="clip") & np.take(usable, end, mode="clip")
        gradient = np.take(colours, end, axis=0, mode="clip") - np.take(colours, begin, axis=0, mode="clip")
        wanted += np.where(has[:, None], gradient, 0)
        count += has
    wanted /= np.maximum(count, 1)[:, None]
    excess = composite[second][seam] - composite[first][seam] - wanted
    size = np.abs(excess).max(axis=1) / _limits(seam, np.abs(wanted).max(axis=1))
    steps[seam] = excess * np.exp(-size * size)[:, None]
    return steps


def _limits(seam: BoolArray, wanted: FloatArray) -> FloatArray:
    """How large a step may be to count as one of light, for each pixel of the seams, by what is around it.

    In a sky, large ones may; among crumbs of texture only small ones can be told from it.
    """
    activity = np.zeros(seam.shape, np.float32)
    activity[seam] = wanted
    # A straight seam takes a seventh of the area.
    crowd = _mean_around(seam.astype(np.float32))[seam]
    flatness = np.exp(-((_mean_around(activity)[seam] / crowd / _FLAT) ** 2))
    coherence = np.clip(1.5 - 3 * crowd, _CRUMBS_SHARE, 1)
    return np.asarray(
        _LARGEST_STEP * coherence + (_LARGEST_STEP_FLAT - _LARGEST_STEP * coherence) * flatness, np.float32
    )


def _mean_around(values: FloatArray) -> FloatArray:
    return np.asarray(cv2.blur(values, (7, 7), borderType=cv2.BORDER_REPLICATE), np.float32)


def _cycle(value: FloatArray, divergence: FloatArray, inside: FloatArray, pull: float) -> FloatArray:
    """One multigrid V-cycle of the screened Poisson's equation, which pulls values to 0 a little: value is 0 where not
    inside, and level across the window's sides.
    """
    height, width = inside.shape[:2]
    if min(height, width) <= _COARSEST_SIDE:
        return _sweep(value, divergence, inside, pull, _SWEEPS_COARSEST)
    value = _sweep(value, divergence, inside, pull, _SWEEPS)
    rest = (divergence + _neighbours(value) - np.float32(4 + pull) * value) * inside
    half = ((width + 1) // 2, (height + 1) // 2)
    coarse_inside = np.asarray(cv2.resize(inside, half, interpolation=cv2.INTER_AREA), np.float32)[..., None]
    coarse_inside = (coarse_inside > 0.5).astype(np.float32)
    # The grid's step doubles, and Laplace's operator goes with its square.
    coarse_rest = 4 * _resized(rest, half, cv2.INTER_AREA)
    coarse = _cycle(np.zeros_like(coarse_rest), coarse_rest, coarse_inside, 4 * pull)
    value = value + _resized(coarse, (width, height), cv2.INTER_LINEAR) * inside
    return _sweep(value, divergence, inside, pull, _SWEEPS)


def _sweep(value: FloatArray, divergence: FloatArray, inside: FloatArray, pull: float, count: int) -> FloatArray:
    """Damped Jacobi steps."""
    whole = np.float32(4 + pull)
    for _ in range(count):
        value = (value + (_neighbours(value) + divergence - whole * value) * np.float32(_DAMPING) / whole) * inside
    return value


def _neighbours(value: FloatArray) -> FloatArray:
    summed = cv2.filter2D(value, -1, _CROSS, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(summed, np.float32).reshape(value.shape)


def _resized(value: FloatArray, size: tuple[int, int], how: int) -> FloatArray:
    return np.asarray(cv2.resize(value, size, interpolation=how), np.float32).reshape(size[1], size[0], 3)
