"""Edges and lines without a network: Canny's edges, line drawings by differences of Gaussians, and blurred pictures."""

import cv2
import numpy as np

from ..canvas.errors import ValueOutOfRange
from ..canvas.types import FloatArray

__all__ = ["blurred", "canny_edges", "drawn_lines_of", "usual_detail"]

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
# Winnemoeller, Kyprianidis, Olsen 2012, "XDoG: an eXtended difference-of-Gaussians compendium": the ratio of both
# Gaussians, how much lines are sharpened, and how soft the threshold is.
_RATIO, _SHARPENING, _SOFTNESS = 1.6, 20.0, 10.0
# Lightness of the sharpened picture below which ink lies.
_INK = 0.6
# Shares of a picture's shorter side.
_LINE_SHARE, _BLUR_SHARE = 1 / 600, 1 / 48


def canny_edges(rgb: FloatArray, weak: float, strong: float) -> FloatArray:
    """Canny's edges, (h, w), 0 or 1, one pixel wide (Canny 1986, "A Computational Approach to Edge Detection").

    Args:
        rgb: (h, w, 3), 0..1.
        weak, strong: differences of 8-bit lightness over a pixel, summed over both directions and weighted by 4, as
            OpenCV counts them. Edges of more than `strong`, and what continues them at more than `weak`.

    Raises:
        ValueOutOfRange: `weak` is above `strong`.
    """
    if weak > strong:
        raise ValueOutOfRange(
            "The weak edge, {weak}, is above the strong one, {strong}; give the smaller number as the weak one.",
            weak=weak,
            strong=strong,
        )
    grey = np.clip(rgb @ _LUMINANCE * 255 + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.Canny(grey, weak, strong) > 0, np.float32)


def drawn_lines_of(rgb: FloatArray, width: float) -> FloatArray:
    """A line drawing of a picture: ink (h, w), 0..1. Where it is dark beside what is light there is a line.

    Args:
        rgb: (h, w, 3), 0..1.
        width: of the lines, in pixels, from 0.5 up.
    """
    grey = np.clip(rgb @ _LUMINANCE, 0, 1).astype(np.float32)
    # A line is about as wide as the Gaussians' difference is negative, two standard deviations.
    near, far = (_gaussian(grey, width / 2 * ratio) for ratio in (1.0, _RATIO))
    # The difference alone, brought to the middle: even areas are paper, however dark.
    sharpened = 1 + _SHARPENING * (near - far)
    ink = 1 - (1 + np.tanh(_SOFTNESS * (sharpened - _INK))) / 2
    return np.asarray(np.clip(ink, 0, 1), np.float32)


def blurred(rgb: FloatArray, detail: float) -> FloatArray:
    """The picture without detail that is smaller than so many pixels."""
    return np.asarray(np.clip(_gaussian(rgb, detail / 2), 0, 1), np.float32)


def usual_detail(kind: str, rgb: FloatArray) -> float:
    """The width of lines, or the size of detail to lose, that suits a picture: by its shorter side, in pixels."""
    side = int(min(rgb.shape[:2]))
    if kind == "blur":
        return max(2.0, side * _BLUR_SHARE)
    return max(1.0, side * _LINE_SHARE * (2.5 if kind == "scribble" else 1))


def _gaussian(array: FloatArray, deviation: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(array, (0, 0), deviation, borderType=cv2.BORDER_REFLECT), np.float32)
