"""What the child process does. Importing this imports numpy and libvips."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pyvips
from PIL import Image, ImageFilter

from ..canvas.geometry import Rect, Size
from ..canvas.mask import selection_bounds
from ..protocol import messages as m
from ..protocol.errors import BridgeError
from ..protocol.pixels import LEAST_COVERAGE, describe
from .decoding import hints_of, load
from .orders import (
    BaseImage,
    Enlarge,
    Expand,
    Finish,
    Guide,
    Guided,
    Painted,
    Selecting,
    Stage,
    Staged,
    Thumbnail,
)
from .png import with_texts

__all__ = ["enlarge", "expand", "finish", "guide", "stage", "thumbnail"]

_LUMINANCE = [0.2126, 0.7152, 0.0722]
_WHITE = [255, 255, 255]
# 72 pixels an inch, as editors take it where nothing is said; libvips would say 25.4.
_PER_MM = 72 / 25.4

pyvips.cache_set_max(0)


def stage(order: Stage) -> Staged:
    """Lay out a job: the canvas, the context, and the pixels of both pictures in it.

    Raises:
        BridgeError: ``picture_unreadable``, ``picture_mismatch``, ``empty_selection``.
    """
    upright = load(order.base.picture)
    base = _fitted(_opaque(upright), order.base.size, order.base.fit)
    canvas = Size(base.width, base.height)
    context, coverage = canvas.rect, None
    if order.selecting is not None:
        coverage = _coverage(order.selecting, m.Extent(upright.width, upright.height), order.base)
        bounds = selection_bounds(np.where(coverage < LEAST_COVERAGE["u8"], 0, coverage))
        if bounds is None:
            raise BridgeError(
                "empty_selection",
                "The mask selects nothing.",
                "Paint in it what is to be repainted; if its values are 0 and 1, bring them to 0 and 255."
                if coverage.any()
                else "Paint in it what is to be repainted.",
            )
        if order.selecting.close:
            context = _close_up(bounds, order.selecting, canvas)
    rect = m.Rect(context.x, context.y, context.width, context.height)
    pixels = _pixels(base.crop(context.x, context.y, context.width, context.height)).tobytes()
    picture = describe(pixels, width=context.width, height=context.height, channels=3)
    extent = m.Extent(canvas.width, canvas.height)
    if coverage is None:
        return Staged(extent, rect, picture, pixels, None, b"", hints_of(upright))
    selected = np.ascontiguousarray(coverage[context.slices]).tobytes()
    selection = describe(selected, width=context.width, height=context.height, channels=1)
    return Staged(extent, rect, picture, pixels, selection, selected, hints_of(upright))


def guide(order: Guide) -> Guided:
    """Lay out a guiding picture.

    Raises:
        BridgeError: ``picture_unreadable``, ``picture_mismatch``.
    """
    image = load(order.picture)
    hints = hints_of(image)
    if image.bands < 3:
        image = image[0].bandjoin([image[0], *(image[band] for band in range(image.bands))])
    image = _fitted(image.copy(interpretation="srgb"), order.canvas, order.fit, flat=order.flat)
    context = order.context
    pixels = _pixels(image.crop(context.x, context.y, context.width, context.height)).tobytes()
    described = describe(pixels, width=context.width, height=context.height, channels=image.bands)
    return Guided(described, pixels, hints)


def finish(order: Finish) -> tuple[bytes, ...]:
    """Make a file of each layer. Where a layer's alpha is 0 the base's pixels stay as they are.

    Raises:
        BridgeError: as :func:`stage`.
    """
    base = None
    if order.base is not None:
        upright = load(order.base.picture)
        base = _pixels(_fitted(_opaque(upright), order.base.size, order.base.fit))
    return tuple(_file(_merged(base, layer), layer, order) for layer in order.layers)


def thumbnail(order: Thumbnail) -> bytes:
    """Make a file."""
    pixels = np.frombuffer(order.pixels, np.uint8).reshape(order.height, order.width, 3)
    return _saved(_fitted(_image(pixels), order.size, "stretch"), order.kind)


def enlarge(order: Enlarge) -> bytes:
    """Make a PNG of another size.

    Raises:
        BridgeError: ``picture_unreadable``, ``picture_mismatch``, ``picture_too_large``.
    """
    image = load(order.picture)
    factor = order.factor
    size = order.size or m.Extent(max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    if size.width * size.height > order.most_pixels:
        raise BridgeError(
            "picture_too_large",
            "A picture of {width} x {height} pixels is too large.",
            width=size.width,
            height=size.height,
        )
    fitted = _fitted(image, size, order.fit, flat=order.kernel == "nearest")
    return _saved(fitted.copy(xres=_PER_MM, yres=_PER_MM), "png")


def expand(order: Expand) -> bytes:
    """Widen a mask.

    Raises:
        BridgeError: ``picture_unreadable``, ``picture_mismatch``.
    """
    image = load(order.mask)
    mask = _pixels(image)
    height, width, bands = mask.shape
    # The largest of a square is that of its rows, and then of its columns. OpenCV leaves a single band's axis out.
    across, down = (min(2 * order.pixels + 1, 2 * side - 1) for side in (width, height))
    wide = cv2.dilate(cv2.dilate(mask, np.ones((1, across), np.uint8)), np.ones((down, 1), np.uint8))
    if order.blur > 0:
        # Pillow's, whose Gaussian is made of three boxes: clients know its look.
        wide = np.asarray(Image.fromarray(wide).filter(ImageFilter.GaussianBlur(order.blur)))
    wide = wide.reshape(height, width, bands).copy()
    # What lies at the picture's edge stays as it was, so that nothing is selected there which was not.
    for edge in (np.s_[0, :], np.s_[-1, :], np.s_[:, 0], np.s_[:, -1]):
        wide[edge] = mask[edge]
    return _saved(pyvips.Image.new_from_array(wide).copy(interpretation=image.interpretation), "png")


def _merged(base: np.ndarray | None, layer: Painted) -> np.ndarray:
    above = np.frombuffer(layer.pixels, np.uint8).reshape(layer.height, layer.width, 4)
    if layer.ink:
        return np.repeat(above[..., 3:], 3, axis=2)
    if base is None:
        return above[..., :3]
    merged = base.copy()
    below = merged[layer.y : layer.y + layer.height, layer.x : layer.x + layer.width]
    cover = above[..., 3:].astype(np.float32) / np.float32(255)
    mixed = above[..., :3] * cover + below * (1 - cover)
    below[...] = np.where(above[..., 3:] > 0, np.rint(mixed).astype(np.uint8), below)
    return merged


def _file(pixels: np.ndarray, layer: Painted, order: Finish) -> bytes:
    image = _fitted(_image(np.ascontiguousarray(pixels)), order.size, order.fit)
    saved = _saved(image, order.kind)
    return with_texts(saved, layer.texts) if order.kind == "png" else saved


def _saved(image: pyvips.Image, kind: str) -> bytes:
    if kind == "jpeg":
        return bytes(image.jpegsave_buffer(Q=95, subsample_mode="off", keep="none"))
    if kind == "webp":
        return bytes(image.webpsave_buffer(lossless=True, keep="none"))
    return bytes(image.pngsave_buffer(compression=1, filter="up", keep="none"))


# ---------------------------------------------------------------- pixels


def _opaque(image: pyvips.Image) -> pyvips.Image:
    """RGB, on white."""
    if image.hasalpha():
        image = image.flatten(background=_WHITE[: image.bands - 1]).cast("uchar")
    if image.bands < 3:
        image = image[0].bandjoin([image[0], image[0]])
    return image.copy(interpretation="srgb")


def _fitted(image: pyvips.Image, size: m.Extent | None, fit: str, *, flat: bool = False) -> pyvips.Image:
    if size is None or (image.width, image.height) == (size.width, size.height):
        return image
    if fit == "stretch":
        return _scaled(image, size.width, size.height, flat)
    if fit == "crop":
        scale = max(size.width / image.width, size.height / image.height)
        width, height = max(size.width, round(image.width * scale)), max(size.height, round(image.height * scale))
        image = _scaled(image, width, height, flat)
        return image.crop((width - size.width) // 2, (height - size.height) // 2, size.width, size.height)
    scale = min(size.width / image.width, size.height / image.height)
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    image = _scaled(image, min(width, size.width), min(height, size.height), flat)
    left, top = (size.width - image.width) // 2, (size.height - image.height) // 2
    return image.embed(left, top, size.width, size.height, extend="copy")


def _scaled(image: pyvips.Image, width: int, height: int, flat: bool) -> pyvips.Image:
    if flat:
        return image.resize(width / image.width, vscale=height / image.height, kernel="nearest")
    return image.thumbnail_image(width, height=height, size="force")


def _coverage(selecting: Selecting, upright: m.Extent, base: BaseImage) -> np.ndarray:
    """(h, w) u8 of the canvas's size. It is brought to the upright picture's size first, and then follows it."""
    image = load(selecting.mask)
    alpha = image[image.bands - 1] if image.hasalpha() else None
    if selecting.by == "transparency":
        if alpha is None:
            raise BridgeError(
                "empty_selection",
                "The mask has no transparency, so it selects nothing.",
                "Erase in it what is to be repainted, and save it as PNG.",
            )
        band = alpha.invert()
    elif alpha is not None and alpha.min() != alpha.max():
        band = alpha
    elif image.bands >= 3:
        weights = pyvips.Image.new_from_array([_LUMINANCE])
        band = image.extract_band(0, n=3).recomb(weights).rint().cast("uchar")
    else:
        band = image[0]
    if selecting.invert:
        band = band.invert()
    band = _fitted(band.copy(interpretation="b-w"), upright, "stretch")
    return _pixels(_fitted(band, base.size, base.fit))[..., 0]


def _pixels(image: pyvips.Image) -> np.ndarray:
    pixels: Any = image.numpy()
    return np.asarray(pixels).reshape(image.height, image.width, image.bands)


def _image(pixels: np.ndarray) -> pyvips.Image:
    return pyvips.Image.new_from_array(pixels).copy(interpretation="srgb", xres=_PER_MM, yres=_PER_MM)


# ---------------------------------------------------------------- geometry


def _close_up(bounds: Rect, selecting: Selecting, canvas: Size) -> Rect:
    """The bounds with room, grown to the wanted proportions as far as the canvas goes."""
    rect = bounds.expanded(selecting.room).cut_to(canvas)
    assert rect is not None
    shape = selecting.shape
    if shape is None:
        return rect
    width = min(canvas.width, max(rect.width, round(rect.height * shape.width / shape.height)))
    height = min(canvas.height, max(rect.height, round(rect.width * shape.height / shape.width)))
    return Rect(
        _around(rect.x, rect.width, width, canvas.width), _around(rect.y, rect.height, height, canvas.height),
        width, height,
    )  # fmt: skip


def _around(start: int, length: int, wanted: int, limit: int) -> int:
    return min(max(0, start - (wanted - length) // 2), limit - wanted)
