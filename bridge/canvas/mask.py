"""From a soft selection to what the model repaints and what the layer covers.

Both masks are one ramp of the exact Euclidean distance d to the selection (between pixel centres):

    denoise   1 for d <= grow, falling to 0 at d = grow + feather
    alpha     1 for d <= grow, falling to 0 at d = grow + 3/4 feather

so that nothing beyond grow + feather changes, and what shows has been repainted for some steps at least. A blur would
have no such bound. A soft selection is the stack of its level sets: the mask is the greatest of coverage x ramp over
all selected pixels, to an eighth of coverage outside and exact inside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .distance import distance_to
from .errors import EmptySelection, ValueOutOfRange
from .geometry import Edges, Rect, Size
from .types import FloatArray

__all__ = ["LEAST_COVERAGE", "Masks", "build_masks", "check_selected", "selection_bounds", "settle_selection"]

LEAST_COVERAGE = 1 / 128
"""Less coverage than this is none, and as little less than 1 is all: what the tail of a feather or of a sigmoid, or
rounding, leaves. Of 8 bits it is 2 levels. `bridge.protocol.pixels` has it for clients."""

_ALPHA_SHARE = 0.75
_LEVELS = 8
# What a host's own float arithmetic may leave beyond 0..1.
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Masks:
    """`denoise`: how far each pixel is repainted; `alpha`: how far the layer covers it. (h, w) float32, 0..1.

    alpha < denoise wherever 0 < alpha < 1.
    """

    denoise: FloatArray
    alpha: FloatArray


def build_masks(selection: FloatArray, *, grow: float, feather: float, strict: bool, canvas_edges: Edges) -> Masks:
    """Build both masks of a context.

    Coverage c gives alpha c, and is repainted to c (2 - c): a pixel selected by half shows half of what is nearly new,
    rather than a quarter of it. A selection that ends at a canvas edge has no feather there; at any other side of the
    context, where it might be cut off, both masks fall to 0.

    Args:
        selection: (h, w) of the context, coverage 0..1.
        grow, feather: pixels, from 0 up; 0 and 0 keep a hard selection hard.
        strict: alpha is the selection itself, so 0 wherever that is 0. Nothing beyond is repainted either: what is
            new then grows out of what stays visible, rather than out of something new that is cut away.
        canvas_edges: which sides of the context end the canvas (`Edges.of`).

    Raises:
        EmptySelection: nothing is selected, by `settle_selection`.
        ValueOutOfRange: coverage or a number of pixels outside its range.
    """
    if not (np.isfinite(grow) and np.isfinite(feather) and grow >= 0 and feather >= 0):
        raise ValueOutOfRange(
            "Grow and feather must be numbers of pixels from 0 up, not {grow} and {feather}.",
            grow=grow,
            feather=feather,
        )
    selection = settle_selection(selection)
    bounds = selection_bounds(selection)
    assert bounds is not None
    alpha = selection.copy()
    denoise = alpha * (2 - alpha)
    if not strict and grow + feather > 0:
        near = (bounds.expanded(math.ceil(grow + feather)).cut_to(_size(selection)) or bounds).slices
        for level, distance in _level_sets(selection[near]):
            _raise(alpha[near], level, distance, grow, _ALPHA_SHARE * feather)
            _raise(denoise[near], level * (2 - level), distance, grow, feather)
    if feather > 0:
        _fade_at_sides(alpha, feather, (1 - _ALPHA_SHARE) * feather, canvas_edges)
        _fade_at_sides(denoise, feather, 0.0, canvas_edges)
    return Masks(denoise, alpha)


def check_selected(selection: FloatArray) -> None:
    """See that a selection (h, w) is one, and selects anything.

    Raises:
        EmptySelection: nothing is selected, as in a mask that holds 0 and 1 of 255.
        ValueOutOfRange: coverage outside 0..1.
    """
    lowest, greatest = float(selection.min()), float(selection.max())
    # Negated, so that what is not a number fails too.
    if not (lowest >= -_ROUNDING and greatest <= 1 + _ROUNDING):
        raise ValueOutOfRange("The selection holds coverage outside 0..1; send it again.")
    if 0 < greatest < LEAST_COVERAGE:
        raise EmptySelection(
            "Nothing is selected: of 255 levels the selection has {level} at most, and below 2 "
            "counts as nothing. If its values are 0 and 1, bring them to its full range.",
            level=f"{255 * greatest:.2g}",
        )
    if greatest <= 0:
        raise EmptySelection("Nothing is selected in this area; select what to repaint, then try again.")


def settle_selection(selection: FloatArray) -> FloatArray:
    """Set to 0 what counts as not selected, and to 1 what counts as wholly selected.

    Args:
        selection: (h, w), coverage 0..1.

    Returns:
        (h, w), with no value within `LEAST_COVERAGE` of 0 or of 1 but these themselves.

    Raises:
        EmptySelection, ValueOutOfRange: as `check_selected`.
    """
    check_selected(selection)
    settled = np.where(selection < LEAST_COVERAGE, np.float32(0), selection)
    return np.where(settled > 1 - LEAST_COVERAGE, np.float32(1), settled).astype(np.float32, copy=False)


def selection_bounds(selection: FloatArray) -> Rect | None:
    """The smallest rectangle, local to the array, that holds every pixel above 0; None when there is none."""
    rows = np.flatnonzero(selection.max(axis=1) > 0)
    if rows.size == 0:
        return None
    columns = np.flatnonzero(selection.max(axis=0) > 0)
    top, left = int(rows[0]), int(columns[0])
    return Rect(left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1)


def _size(array: FloatArray) -> Size:
    return Size(array.shape[1], array.shape[0])


def _level_sets(selection: FloatArray) -> Iterator[tuple[float, FloatArray]]:
    """For each of the levels from 1 down that differ: the distance to the pixels of at least that coverage."""
    covered = 0
    for step in range(_LEVELS, 0, -1):
        selected = selection >= np.float32(step / _LEVELS)
        count = int(np.count_nonzero(selected))
        # Level sets are nested: as many pixels as one level up are the same pixels, and they count for more there.
        if count > covered:
            yield step / _LEVELS, distance_to(selected)
        covered = count


def _raise(mask: FloatArray, level: float, distance: FloatArray, grow: float, feather: float) -> None:
    """Raise `mask` to `level` times the ramp: 1 up to grow, 0 from grow + feather, a smooth step between."""
    if feather == 0:
        ramp = (distance <= np.float32(grow)).astype(np.float32)
    else:
        ramp = np.clip((np.float32(grow + feather) - distance) * np.float32(1 / feather), 0, 1)
        _smooth_step(ramp)
    ramp *= np.float32(level)
    np.maximum(mask, ramp, out=mask)


def _smooth_step(t: FloatArray) -> None:
    cube = t * t
    t *= -2
    t += 3
    t *= cube


def _fade_at_sides(mask: FloatArray, feather: float, from_side: float, edges: Edges) -> None:
    """Hold `mask` under a ramp that rises from `from_side` to `feather` pixels off each side that is no canvas edge."""
    height, width = mask.shape

    def fade(count: int, first: bool, last: bool) -> FloatArray:
        position = np.arange(count, dtype=np.float32)
        ramp = np.ones(count, np.float32)
        for distance, ends in ((position, first), (count - 1 - position, last)):
            if not ends:
                ramp = np.minimum(ramp, np.clip((distance - from_side) / (feather - from_side), 0, 1))
        ramp = ramp.astype(np.float32)
        _smooth_step(ramp)
        return ramp

    np.minimum(mask, fade(width, edges.left, edges.right)[None, :], out=mask)
    np.minimum(mask, fade(height, edges.top, edges.bottom)[:, None], out=mask)
