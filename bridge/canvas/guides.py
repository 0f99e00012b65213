"""What a picture says that guides the model: drawn lines, areas in the colours of things, depths, normals, figures."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ..control_kinds import PictureReading
from .fitting import Resize
from .geometry import Size
from .resample import resize
from .types import FloatArray

__all__ = [
    "depths",
    "drawn_lines",
    "facing",
    "label_colours",
    "laid_on",
    "read_guide",
    "resized_labels",
    "resized_lines",
    "resized_normals",
]

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
# A picture with less transparency than this has no drawing on a layer of its own.
_OPAQUE = 0.98
_LINE = 0.5
_BLACK, _WHITE = (np.full(3, level, np.float32) for level in (0, 1))
_TOWARDS_US = np.array([0.5, 0.5, 1.0], np.float32)


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


def depths(picture: FloatArray) -> FloatArray:
    """How near things are, (h, w), 0..1; 0, far away, where the picture is transparent.

    Args:
        picture: (h, w, 1), (h, w, 3) or (h, w, 4); of colours the luminance counts.
    """
    near = picture[..., 0] if picture.shape[2] == 1 else picture[..., :3] @ _LUMINANCE
    if picture.shape[2] == 4:
        near = near * picture[..., 3]
    return np.asarray(np.clip(near, 0, 1), np.float32)


def laid_on(picture: FloatArray, ground: FloatArray) -> FloatArray:
    """The picture on a ground of one colour, (h, w, 3).

    Args:
        picture: (h, w, 3) or (h, w, 4).
        ground: (3,).
    """
    colours: FloatArray = picture[..., :3]
    if picture.shape[2] == 3:
        return colours
    alpha = picture[..., 3:]
    return np.asarray(colours * alpha + ground * (1 - alpha), np.float32)


def facing(picture: FloatArray) -> FloatArray:
    """Where surfaces face, as colours (h, w, 3): towards us where the picture is transparent.

    Args:
        picture: (h, w, 3) or (h, w, 4).
    """
    return laid_on(picture, _TOWARDS_US)


def resized_normals(normals: FloatArray, size: Size) -> FloatArray:
    """Normals as colours (h, w, 3) at another size, each of length 1 again."""
    if normals.shape[:2] == size.shape:
        return normals
    vectors = _resized_linearly(normals, size) * 2 - 1
    length = np.linalg.norm(vectors, axis=2, keepdims=True)
    # Opposite ones come to nothing: that is seen from the side.
    return np.asarray(np.where(length > 1e-3, vectors / np.maximum(length, 1e-3), vectors) / 2 + 0.5, np.float32)


def read_guide(
    picture: FloatArray, reading: PictureReading, fit: Callable[[FloatArray, Resize], FloatArray]
) -> FloatArray:
    """What a network is shown of a guide's picture, (h, w, 3), 0..1.

    Args:
        picture: (h, w, c) of the context.
        fit: brings an array (h, w) or (h, w, 3) to the size that is wanted, resizing as it is told.
    """
    read, resized = _READINGS[reading]
    shown = fit(read(picture), resized)
    return np.repeat(shown[..., None], 3, axis=2) if shown.ndim == 2 else shown


def _resized_linearly(colours: FloatArray, size: Size) -> FloatArray:
    """A channel at a time, as masks are: nothing overshoots, so nothing is lighter than white."""
    return np.dstack([resize(np.ascontiguousarray(colours[..., band]), size) for band in range(colours.shape[2])])


def _resized_colours(colours: FloatArray, size: Size) -> FloatArray:
    return np.asarray(np.clip(resize(colours, size), 0, 1), np.float32)


_READINGS: dict[PictureReading, tuple[Callable[[FloatArray], FloatArray], Resize]] = {
    PictureReading.DRAWN_LINES: (drawn_lines, resized_lines),
    PictureReading.LABEL_COLOURS: (label_colours, resized_labels),
    PictureReading.DEPTHS: (depths, resize),
    PictureReading.NORMALS: (facing, resized_normals),
    PictureReading.FIGURES: (lambda picture: laid_on(picture, _BLACK), _resized_linearly),
    PictureReading.COLOURS: (lambda picture: laid_on(picture, _WHITE), _resized_colours),
}
