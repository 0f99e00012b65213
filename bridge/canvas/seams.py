"""Hide the seams between copied pieces whose light differs a little.

Perez et al., "Poisson Image Editing", 2003, for many pieces at once: each piece keeps its own gradients, and what steps
remain between pieces are spread out. Steps too large to be light are edges, and stay.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from .distance import distance_to
from .geometry import Rect
from .mask import selection_bounds
from .poisson import solve_poisson
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
# How far, at most, what is found may lie from the equation's solution: a quarter of one of 255 levels.
_TOLERANCE = 0.25 / 255


def blend_seams(
    composite: FloatArray,
    picture: FloatArray,
    target: BoolArray,
    source: BoolArray,
    origin: IndexArray,
    *,
    open_ended: bool,
    check: Callable[[], None],
) -> FloatArray:
    """Smooth what was copied.

    Args:
        composite: (h, w, 3), `picture` with `target` copied.
        picture: (h, w, 3).
        target, source: (h, w): what was copied, and what may be looked at.
        origin: (h, w) flat index that each target pixel was copied from; it is in `source`.
        open_ended: whether the target reaches a side of the picture, so that it is not known all around.
        check: called often; what it raises ends the work.

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
        result[window][inside] += membrane(off, rim, check)[inside] * fade[:, None]
        between = [np.where(~_crosses_rim(inside, axis)[..., None], steps[axis], 0) for axis in (0, 1)]
        divergence, reach = _divergence(between), _REACH_OPEN
    else:
        divergence, reach = _divergence(steps), _REACH
    result[window] += solve_poisson(divergence, inside, screening=reach**-2, tolerance=_TOLERANCE, check=check)
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
