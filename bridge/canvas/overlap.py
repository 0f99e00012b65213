"""Where a picture is continued beyond its sides: let what is new begin a little within.

The sides are straight, and a straight line is seen where texture changes along it by next to nothing.
"""

from __future__ import annotations

import cv2
import numpy as np

from .distance import distance_to
from .types import BoolArray, FloatArray, IndexArray

__all__ = ["OVERLAP", "overlap_edges"]

OVERLAP = 16.0
"""How far within, in pixels."""


def overlap_edges(
    completed: FloatArray, copied: FloatArray, target: BoolArray, source: BoolArray, origin: IndexArray
) -> FloatArray:
    """Carry each copied piece on into the known pixels next to it, where it fades.

    Args:
        completed: (h, w, 3), the target filled, and the picture elsewhere.
        copied: (h, w, 3), the same before its light was corrected.
        target, source: (h, w): what was copied, and what may be copied.
        origin: (h, w) flat index that each target pixel was copied from.

    Returns:
        (h, w, 3), equal to `completed` in the target, and farther than `OVERLAP` from it.
    """
    # OpenCV tells the nearest pixel by an approximate distance; how far it is counts exactly.
    distance = distance_to(target)
    _, labels = cv2.distanceTransformWithLabels(
        (~target).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    targets = np.flatnonzero(target)
    by_label = np.zeros(int(labels.max()) + 1, np.int64)
    by_label[labels.ravel()[targets]] = targets
    near = np.flatnonzero(~target & (distance < OVERLAP))
    nearest = by_label[labels.ravel()[near]]
    height, width = target.shape
    (y, x), (target_y, target_x) = np.divmod(near, width), np.divmod(nearest, width)
    origin_y, origin_x = np.divmod(origin.ravel()[nearest], width)
    from_y, from_x = origin_y + y - target_y, origin_x + x - target_x
    usable = (from_y >= 0) & (from_y < height) & (from_x >= 0) & (from_x < width)
    usable &= source[np.clip(from_y, 0, height - 1), np.clip(from_x, 0, width - 1)]
    near, nearest, start = near[usable], nearest[usable], (from_y * width + from_x)[usable]
    fade = 1 - distance.ravel()[near] / np.float32(OVERLAP)
    fade = (fade * fade * (3 - 2 * fade))[:, None]
    flat = completed.reshape(-1, 3)
    piece = flat[start] + flat[nearest] - copied.reshape(-1, 3)[nearest]
    result = completed.copy()
    result.reshape(-1, 3)[near] += (piece - flat[near]) * fade
    return result
