"""What a picture says that guides the model: lines that were drawn, or areas in the colours of things."""

from __future__ import annotations

import cv2
import numpy as np

from .geometry import Size
from .resample import resize
from .types import FloatArray

__all__ = ["drawn_lines", "label_colours", "resized_labels", "resized_lines"]

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
# A picture with less transparency than this has no drawing on a layer of its own.
_OPAQUE = 0.98
_LINE = 0.5


def drawn_lines(picture: FloatArray) -> FloatArray:
    """Where lines are drawn, (h, w), 0..1.

    One channel is just that. Of what was drawn on a transparent ground the alpha tells, whatever its colour; otherwise
    lines are dark on a light ground, or light on a dark one, whichever there is more of.

    Args:
        picture: (h, w, 1), (h, w, 3) or (h, w, 4).
    """
    if picture.shape[2] == 1:
        return np.asarray(np.clip(picture[..., 0], 0, 1))
    if picture.shape[2] == 4 and float(picture[..., 3].min()) < _OPAQUE:
        return np.asarray(np.clip(picture[..., 3], 0, 1))
    lightness: FloatArray = np.clip(picture[..., :3] @ _LUMINANCE, 0, 1).astype(np.float32, copy=False)
    return lightness if float(np.median(lightness)) < _LINE else 1 - lightness


def resized_lines(lines: FloatArray, size: Size) -> FloatArray:
    """Lines at another size, averaged over areas; those that grow thinner than a pixel keep their strength."""
    reduced = resize(lines, size)
    factor = min(lines.shape[1] / size.width, lines.shape[0] / size.height)
    if factor <= 1:
        return reduced
    thin = np.minimum(1, factor * resize((lines > _LINE).astype(np.float32), size))
    return np.asarray(np.maximum(reduced, thin), np.float32)


def label_colours(picture: FloatArray) -> FloatArray:
    """The labels' colours, (h, w, 3): black, which means nothing, where the picture is transparent.

    Args:
        picture: (h, w, 3) or (h, w, 4).
    """
    colours: FloatArray = picture[..., :3]
    return colours if picture.shape[2] == 3 else np.where(picture[..., 3:] > 0.5, colours, np.float32(0))


def resized_labels(labels: FloatArray, size: Size) -> FloatArray:
    """Labels at another size, each the nearest one: colours between two would mean a third thing."""
    if labels.shape[:2] == size.shape:
        return labels
    interpolation = cv2.INTER_NEAREST_EXACT
    return np.asarray(cv2.resize(labels, (size.width, size.height), interpolation=interpolation), np.float32)
