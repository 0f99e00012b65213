"""sRGB-encoded colour to CIE L*a*b* (D65) and back, for any float.

IEC 61966-2-1 and CIE 15, both continued beyond 0..1 (the sRGB curve oddly, the cube root by its own linear piece), so
that deep documents come back as they were. OpenCV's conversion cuts to 0..1.
"""

from __future__ import annotations

import numpy as np

from .types import FloatArray

__all__ = ["lab_to_rgb", "rgb_to_lab"]

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
# Rows scaled by the white point, so that white is (1, 1, 1).
_TO_XYZ = (_TO_XYZ / _TO_XYZ.sum(axis=1, keepdims=True)).astype(np.float64)
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_TO_LAB = np.array([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]])
_EPSILON = 216 / 24389
_KAPPA = 24389 / 27


def rgb_to_lab(rgb: FloatArray) -> FloatArray:
    """(..., 3) sRGB to (..., 3) L* (0..100), a*, b*."""
    size = np.abs(rgb)
    linear = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    xyz = np.copysign(linear, rgb) @ _TO_XYZ.T.astype(np.float32)
    f = np.where(xyz > _EPSILON, np.cbrt(xyz), (_KAPPA * xyz + 16) / 116)
    lab: FloatArray = f @ _TO_LAB.T.astype(np.float32)
    lab[..., 0] -= 16
    return lab


def lab_to_rgb(lab: FloatArray) -> FloatArray:
    """The inverse of `rgb_to_lab`."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    xyz = np.where(f > _EPSILON ** (1 / 3), f**3, (116 * f - 16) / _KAPPA)
    linear = xyz.astype(np.float32) @ _FROM_XYZ.T.astype(np.float32)
    size = np.abs(linear)
    encoded = np.where(size <= 0.0031308, size * 12.92, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(encoded, linear).astype(np.float32)
