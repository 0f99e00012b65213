"""Selections of the command line: a mask file or a rectangle, as linear coverage of the picture.

A mask file's coverage is its alpha where that varies, and otherwise its luminance: white is selected. Its numbers are
taken as they are, without any colour profile, since coverage is no colour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips

from ..protocol.messages import Extent, Rect
from ..protocol.pixels import LEAST_COVERAGE
from .exchange import WirePixels
from .exits import CliError
from .pictures import PictureFile, open_picture, reading

__all__ = ["Selection", "mask_selection", "rect_selection"]

_LUMINANCE = [0.2126, 0.7152, 0.0722]


@dataclass(frozen=True)
class Selection:
    """The bounds of what is selected, inside the picture, and the coverage of any rectangle of it.

    ``hints`` are what the user should know of how it was read.
    """

    bounds: Rect
    read: Callable[[Rect], WirePixels]
    hints: tuple[str, ...] = ()


def rect_selection(rect: Rect, picture: PictureFile) -> Selection:
    """A hard rectangle, cut to the picture.

    Raises:
        CliError: it lies outside.
    """
    left, top = max(rect.x, 0), max(rect.y, 0)
    right, bottom = min(rect.x + rect.width, picture.width), min(rect.y + rect.height, picture.height)
    if left >= right or top >= bottom:
        raise CliError(
            f"The rectangle lies outside the picture, which is {picture.width} x {picture.height}.",
            "Choose one inside.",
            code="empty_selection",
        )
    bounds = Rect(left, top, right - left, bottom - top)
    hints = () if bounds == rect else ("The rectangle reaches beyond the picture; only its part inside was used.",)

    def read(area: Rect) -> WirePixels:
        coverage = np.zeros((area.height, area.width, 1), np.uint8)
        rows = slice(max(bounds.y - area.y, 0), max(bounds.y + bounds.height - area.y, 0))
        columns = slice(max(bounds.x - area.x, 0), max(bounds.x + bounds.width - area.x, 0))
        coverage[rows, columns] = 255
        return WirePixels(coverage, "u8")

    return Selection(bounds, read, hints)


def mask_selection(path: Path, picture: PictureFile | Extent) -> Selection:
    """A mask file of the picture's size.

    Raises:
        CliError: it cannot be read, has another size than the (upright) picture, selects nothing, or holds floats that
            are no coverage.
    """
    mask = open_picture(path)
    if (mask.width, mask.height) != (picture.width, picture.height):
        raise CliError(
            f"The mask is {mask.width} x {mask.height}, but the picture is {picture.width} x {picture.height}.",
            "Save the mask at the size of the picture.",
        )
    with reading(path):
        by_alpha = mask.alpha and _varies(mask.stream()[mask.bands])
        selected = _coverage(mask, by_alpha) >= LEAST_COVERAGE[mask.depth]
        columns, rows = (band.numpy().reshape(-1) for band in selected.project())
        if mask.depth == "f32":
            _check_range(_coverage(mask, by_alpha), path)
    if not columns.any():
        greatest = _coverage(mask, by_alpha).max()
        raise CliError(
            f"{path.name} selects nothing: its {'alpha' if by_alpha else 'luminance'} is {greatest:g} at most.",
            "Paint the area to repaint in white, or leave it opaque on a transparent ground."
            if greatest == 0
            else "Bring it to its full range: what is selected must be white, not 1.",
            code="empty_selection",
        )
    x, y = np.flatnonzero(columns), np.flatnonzero(rows)
    bounds = Rect(int(x[0]), int(y[0]), int(x[-1] - x[0] + 1), int(y[-1] - y[0] + 1))

    def read(area: Rect) -> WirePixels:
        with reading(path):
            pixels = _coverage(mask, by_alpha).crop(area.x, area.y, area.width, area.height).numpy()
        return WirePixels(np.ascontiguousarray(pixels.reshape(area.height, area.width, 1)), mask.depth)

    return Selection(bounds, read)


def _coverage(mask: PictureFile, by_alpha: bool) -> pyvips.Image:
    image = mask.stream()
    if by_alpha:
        return image[mask.bands]
    if mask.bands == 1:
        return image[0]
    luminance = image.extract_band(0, n=3).recomb(pyvips.Image.new_from_array([_LUMINANCE]))
    return luminance if mask.depth == "f32" else luminance.rint().cast(image.format)


def _varies(alpha: pyvips.Image) -> bool:
    lowest, highest = alpha.stats().numpy().reshape(-1)[:2]
    return bool(lowest != highest)


def _check_range(coverage: pyvips.Image, path: Path) -> None:
    lowest, highest = coverage.stats().numpy().reshape(-1)[:2]
    if not 0.0 <= lowest <= highest <= 1.0:
        raise CliError(f"{path.name} holds floats outside 0..1, which are no coverage.", "Save the mask as 8-bit PNG.")
