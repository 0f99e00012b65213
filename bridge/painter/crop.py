"""What of its context a model is given, and how what it paints there goes back.

A model that is shown the first guess under the mask needs few surroundings: its latents then go to what is repainted.
"""

import functools
from collections.abc import Callable

import numpy as np

from ..canvas.fitting import visible_part
from ..canvas.geometry import Rect, Size
from ..canvas.mask import selection_bounds
from ..canvas.model_size import ModelFit
from ..canvas.resample import resize

__all__ = ["close_crop", "placed", "placed_previews"]

# The room around what is repainted, as a share of its longer side.
_ROOM = 1 / 14


def close_crop(alpha: np.ndarray) -> Rect:
    """A square that holds all that the layer can show, alpha (h, w), with some room; as far as the context goes."""
    size = Size(alpha.shape[1], alpha.shape[0])
    shown = selection_bounds(alpha) or size.rect
    side = round(max(shown.width, shown.height) * (1 + 2 * _ROOM))
    width, height = min(side, size.width), min(side, size.height)
    left = min(max(0, shown.x + (shown.width - width) // 2), size.width - width)
    top = min(max(0, shown.y + (shown.height - height) // 2), size.height - height)
    return Rect(left, top, width, height)


def placed(picture: np.ndarray, crop: Rect, start: np.ndarray | None) -> np.ndarray:
    """The picture of a crop (h, w, 3) in the context's first guess; the picture itself where the crop is all of it."""
    if start is None or crop.size.shape == start.shape[:2]:
        return picture
    whole = start.copy()
    whole[crop.slices] = picture
    return whole


def placed_previews(
    show: Callable[[np.ndarray, int], None], crop: Rect, start: np.ndarray | None, fit: ModelFit
) -> Callable[[np.ndarray, int], None]:
    """Shows previews of what a model paints, uint8 of any size, as previews of the context that are as dense."""

    def show_cut(rgb: np.ndarray, step: int) -> None:
        show(rgb[visible_part(rgb.shape[:2], fit)], step)

    if start is None or crop.size.shape == start.shape[:2]:
        return show_cut
    first_guess = start

    @functools.cache
    def surroundings(size: Size) -> np.ndarray:
        """Reduced once: all previews of a job have the same size, and a context can be large."""
        return (resize(first_guess, size).clip(0, 1) * 255 + 0.5).astype(np.uint8)

    def show_placed(rgb: np.ndarray, step: int) -> None:
        rgb = rgb[visible_part(rgb.shape[:2], fit)]
        down, across = rgb.shape[0] / crop.height, rgb.shape[1] / crop.width
        size = Size(round(first_guess.shape[1] * across), round(first_guess.shape[0] * down))
        whole = surroundings(size).copy()
        top, left = (
            min(round(crop.y * down), size.height - rgb.shape[0]),
            min(round(crop.x * across), size.width - rgb.shape[1]),
        )
        whole[top : top + rgb.shape[0], left : left + rgb.shape[1]] = rgb
        show(whole, step)

    return show_placed
