"""Exemplar-based completion: the hole is made of patches from around it."""

from __future__ import annotations

import cv2
import numpy as np

from .types import BoolArray, FloatArray

__all__ = ["complete"]


def complete(picture: FloatArray, target: BoolArray, source: BoolArray) -> FloatArray:
    """Complete `target` from `source`; (h, w, 3) and two (h, w)."""
    lab = cv2.cvtColor(np.clip(picture, 0, 1), cv2.COLOR_RGB2Lab)
    byte = np.clip(np.dstack([lab[..., 0] * 2.55, lab[..., 1] + 128, lab[..., 2] + 128]), 0, 255).astype(np.uint8)
    out = np.zeros_like(byte)
    cv2.xphoto.inpaint(byte, source.astype(np.uint8) * 255, out, cv2.xphoto.INPAINT_SHIFTMAP)
    values = out.astype(np.float32)
    back = np.dstack([values[..., 0] / 2.55, values[..., 1] - 128, values[..., 2] - 128])
    result = picture.copy()
    result[target] = cv2.cvtColor(back, cv2.COLOR_Lab2RGB)[target]
    return result
