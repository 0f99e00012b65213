"""Exact Euclidean distances between pixel centres."""

from __future__ import annotations

import cv2
import numpy as np

from .types import BoolArray, FloatArray

__all__ = ["distance_to"]


def distance_to(pixels: BoolArray) -> FloatArray:
    """For each pixel, how far the nearest of `pixels` is, in pixels; 0 there. At least one must be True.

    OpenCV's own distances differ in the last digits with where the array lies in memory. Squared, they are whole
    numbers, so that rounding gives the same bits on every run.
    """
    distance = np.asarray(
        cv2.distanceTransform((~pixels).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32
    )
    np.square(distance, out=distance)
    np.rint(distance, out=distance)
    return np.sqrt(distance, out=distance)
