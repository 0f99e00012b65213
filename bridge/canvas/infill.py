"""What a model is shown where the picture will be repainted: the first guess at the hole, by mode."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .errors import ModeUnsupported, PictureMismatch
from .exemplar import complete
from .geometry import Rect
from .mask import selection_bounds
from .surroundings import NEUTRAL, extend_edges, membrane
from .types import BoolArray, FloatArray

__all__ = ["MODES", "infill"]

MODES = ("fill", "remove", "expand", "add", "background")

# Surroundings farther from the hole than this share of its size do not show in a smooth fill.
_ROOM_SHARE = 0.25
_LEAST_ROOM = 32


def infill(
    picture_rgb: FloatArray,
    hole: FloatArray,
    valid: BoolArray | None,
    mode: str,
    check: Callable[[], None] = lambda: None,
) -> FloatArray:
    """Fill the hole from what is around it.

    "fill" and "background" stretch a smooth membrane over it, "expand" carries the edges outward, "add" is neutral
    grey; these are blended in by the hole's coverage. "remove" completes it at full resolution from like patches; there
    what is covered by less than half of the greatest coverage stays as it is, so that no two textures are mixed.
    What is not valid is filled smoothly in every mode, and is never a source.

    Args:
        picture_rgb: (h, w, 3) of the context.
        hole: (h, w) coverage 0..1; for "background" the inverse of the selection.
        valid: (h, w), False where the picture shows nothing (transparent); None: all valid.
        mode: one of `MODES`.
        check: called often while "remove" looks for patches, which can take minutes; what it raises ends the work.

    Returns:
        (h, w, 3), equal to the picture where the hole is 0 and the picture valid; but "remove" of what lies beyond all
        that is known begins up to 16 pixels within that (`overlap.overlap_edges`). The same on every run.

    Raises:
        ModeUnsupported: an unknown mode.
        PictureMismatch: the sizes differ.
    """
    if mode not in MODES:
        raise ModeUnsupported(
            'There is no infill for mode "{mode}"; choose one of {modes}.', mode=mode, modes=", ".join(MODES)
        )
    if picture_rgb.shape[:2] != hole.shape or (valid is not None and valid.shape != hole.shape):
        raise PictureMismatch("The picture and its selection differ in size; send them again.")
    holed = hole > 0
    shown = np.ones_like(holed) if valid is None else valid
    if not holed.any() and shown.all():
        return picture_rgb.copy()
    if mode == "remove":
        return _remove(picture_rgb, hole, holed, shown, check)
    result = picture_rgb.copy()
    known = shown & ~holed
    if mode == "add":
        # Only what is transparent under and around the new thing needs the surroundings.
        _paste(result, picture_rgb, shown, expand=False)
        result += (NEUTRAL - result) * hole[..., None]
        return result
    _paste(result, picture_rgb, known, expand=mode == "expand")
    kept = np.where(shown, 1 - hole, 0).astype(np.float32)[..., None]
    return np.where(kept > 0, result + (picture_rgb - result) * kept, result)


def _paste(result: FloatArray, picture: FloatArray, known: BoolArray, *, expand: bool) -> None:
    """Fill what is not known, looking no farther around it than shows."""
    bounds = selection_bounds((~known).astype(np.float32))
    if bounds is None:
        return
    room = max(_LEAST_ROOM, round(_ROOM_SHARE * max(bounds.width, bounds.height)))
    whole = Rect(0, 0, known.shape[1], known.shape[0])
    window = bounds.expanded(room).intersection(whole) or whole
    fill = extend_edges if expand else membrane
    result[window.slices] = fill(picture[window.slices], known[window.slices])


def _remove(
    picture: FloatArray, hole: FloatArray, holed: BoolArray, shown: BoolArray, check: Callable[[], None]
) -> FloatArray:
    result = picture.copy()
    _paste(result, picture, shown, expand=False)
    if not holed.any():
        return result
    target = (hole >= 0.5 * float(hole.max())) & shown
    source = shown & ~holed
    if not source.any():
        # Nothing to copy from: the best that can be said is nothing.
        result[target] = NEUTRAL
        return result
    return complete(result, target, source, check)
