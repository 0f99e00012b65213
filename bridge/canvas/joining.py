"""Painted pixels that begin where the original ends, so that no step is left at the mask's edge.

Perez et al., "Poisson Image Editing", 2003: what the two differ by along that edge is stretched over the mask as a
membrane and added, so that the painted gradients stay and the original is their boundary.
"""

from __future__ import annotations

import cv2
import numpy as np

from .surroundings import membrane
from .types import BoolArray, FloatArray

__all__ = ["join_surroundings"]

# Mean differences larger than about this are no model's cast, but edges of what it painted.
_LARGEST_CAST = 0.25
# Over how many pixels a difference is averaged: one of single pixels is texture.
_AROUND = (9, 9)
# How far the texture of the last pixels outside reaches in.
_FADE = 4.0


def join_surroundings(
    painted_rgb: FloatArray, original_rgb: FloatArray, mask: FloatArray, valid: BoolArray | None
) -> FloatArray:
    """Bring painted colours to those at the mask's edge, all along it.

    Outside the selection a model repeats the original, so what differs there is its cast, which may change from place
    to place (`match_colour` takes out what is the same everywhere).

    Args:
        painted_rgb, original_rgb: (h, w, 3) of the context.
        mask: (h, w), the layer's alpha, and 1 wherever anything is selected. Where it is at most one half the original
            shows as much as what is painted, and is what that is brought to; so no step lies at its 50 % contour.
        valid: (h, w), False where the original shows nothing (transparent); None: all valid.

    Returns:
        (h, w, 3); `painted_rgb` itself where nothing is known, or nothing masked.
    """
    known = mask <= 0.5
    if valid is not None:
        known &= valid
    if not known.any() or known.all():
        return painted_rgb
    difference = np.where(known[..., None], original_rgb - painted_rgb, np.float32(0))
    share = np.asarray(cv2.blur(known.astype(np.float32), _AROUND))
    mean = np.asarray(cv2.blur(difference, _AROUND)) / np.maximum(share, 1e-6)[..., None]
    size = np.abs(mean).max(axis=-1, keepdims=True) / _LARGEST_CAST
    cast = np.exp(-size * size)
    joined: FloatArray = painted_rgb + membrane(mean * cast, known) + _faded((difference - mean) * cast, known)
    return joined


def _faded(difference: FloatArray, known: BoolArray) -> FloatArray:
    """Each unknown pixel's nearest known difference, less the farther it is."""
    distance, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    index = np.flatnonzero(known)
    nearest = np.zeros(int(labels.max()) + 1, np.int64)
    nearest[labels.ravel()[index]] = index
    fade = np.exp(-np.square(distance / np.float32(_FADE)))[..., None]
    faded: FloatArray = np.take(difference.reshape(-1, 3), nearest[labels], axis=0) * fade
    return faded
