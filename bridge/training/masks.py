"""Masks as an artist would draw them around a thing: a box, a square, an ellipse, its outline, a brush, everything."""

import cv2
import numpy as np

__all__ = ["MASK_KINDS", "mask_around"]

MASK_KINDS = {"all": 0.15, "box": 0.17, "square": 0.33, "ellipse": 0.1, "silhouette": 0.2, "brush": 0.05}


def mask_around(rng: np.random.Generator, coverage: np.ndarray, kind: str) -> np.ndarray:
    """A mask (size, size) bool that holds the thing whose coverage (size, size) 0..1 is given, drawn loosely."""
    size = coverage.shape[0]
    if kind == "all" or not (coverage > 0.1).any():
        return np.ones_like(coverage, bool)
    ys, xs = np.nonzero(coverage > 0.1)
    top, bottom, left, right = ys.min(), ys.max() + 1, xs.min(), xs.max() + 1
    mask = np.zeros((size, size), np.uint8)
    if kind == "box":
        # The closer a mask is to its thing, the sooner the model learns the thing's shape.
        grow = (rng.uniform(0.02, 0.14) + rng.uniform(0.0, 0.02, 4)) * max(bottom - top, right - left)
        rows = slice(max(0, int(top - grow[0])), int(bottom + grow[1]))
        mask[rows, max(0, int(left - grow[2])) : int(right + grow[3])] = 1
    elif kind == "square":
        half = max(bottom - top, right - left) / 2 * rng.uniform(1.05, 1.3)
        row, column = np.array([top + bottom, left + right]) / 2 + rng.uniform(-0.03, 0.03, 2) * half
        mask[max(0, round(row - half)) : round(row + half), max(0, round(column - half)) : round(column + half)] = 1
    elif kind == "ellipse":
        axes = np.array([right - left, bottom - top]) / 2 * rng.uniform(1.2, 1.5, 2)
        centre = (int((left + right) / 2), int((top + bottom) / 2))
        cv2.ellipse(mask, centre, tuple(int(axis) for axis in axes), 0, 0, 360, 1, -1)
    elif kind == "silhouette":
        reach = max(3, int(size * rng.uniform(0.03, 0.12)))
        mask = _grown(coverage, reach)
    else:
        mask = _grown(coverage, max(2, int(size * 0.02)))
        for _ in range(rng.integers(6, 16)):
            at = (int(rng.uniform(left, right)), int(rng.uniform(top, bottom)))
            cv2.circle(mask, at, int(size * rng.uniform(0.05, 0.14)), 1, -1)
    return mask.astype(bool)


def _grown(coverage: np.ndarray, reach: int) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate((coverage > 0.1).astype(np.uint8), disc)
