"""Overlapping tiles, for what is too large to be painted at once, and how to put them together without a grid."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .geometry import Rect, Size
from .types import FloatArray

__all__ = ["blend_tiles", "enlarged", "plan_tiles", "tile_weight"]


def plan_tiles(area: Size, tile: Size, overlap: int) -> list[Rect]:
    """Cover `area` with tiles, row by row.

    All tiles have the size `tile`, or the area's where that is smaller. Neighbours share at least `overlap` pixels; the
    tiles are spread evenly, so that none hangs over.

    Raises:
        ValueError: the overlap is negative, or more than half of a tile.
    """
    if overlap < 0 or 2 * overlap > min(tile.width, tile.height):
        raise ValueError(f"an overlap of {overlap} does not fit tiles of {tile.width} x {tile.height}")
    width, height = min(tile.width, area.width), min(tile.height, area.height)
    return [
        Rect(x, y, width, height)
        for y in _starts(area.height, height, overlap)
        for x in _starts(area.width, width, overlap)
    ]


def tile_weight(tile: Rect, area: Size, overlap: int) -> FloatArray:
    """(h, w) weight of a tile: 1, and a raised cosine over `overlap` pixels at each side that is none of the area's.

    Never 0, so that every pixel of the area has a weight.
    """
    across = _ramp(tile.width, overlap, tile.x > 0, tile.right < area.width)
    down = _ramp(tile.height, overlap, tile.y > 0, tile.bottom < area.height)
    return down[:, None] * across[None, :]


def blend_tiles(
    tiles: Iterable[tuple[Rect, FloatArray]], area: Size, overlap: int, *, elsewhere: FloatArray | None = None
) -> FloatArray:
    """The weighted mean of tiles (h, w, c); one at a time is held.

    Args:
        elsewhere: (h, w, c), what is where no tile is; None: the tiles cover the area.

    Raises:
        ValueError: the tiles do not cover the area, and nothing is given for elsewhere.
    """
    total = np.zeros(area.shape, np.float32)
    summed: FloatArray | None = None
    for rect, pixels in tiles:
        if summed is None:
            summed = np.zeros((*area.shape, pixels.shape[2]), np.float32)
        weight = tile_weight(rect, area, overlap)
        summed[rect.slices] += pixels * weight[..., None]
        total[rect.slices] += weight
    bare = total == 0
    if elsewhere is None and (summed is None or bare.any()):
        raise ValueError("the tiles do not cover the area")
    if summed is None:
        return np.array(elsewhere)
    summed /= np.where(bare, 1, total)[..., None]
    if elsewhere is not None:
        summed[bare] = elsewhere[bare]
    return summed


def enlarged(tile: Rect, factor: int) -> Rect:
    """The same tile on an area whose edges are `factor` times as long: pixels for latents."""
    return Rect(tile.x * factor, tile.y * factor, tile.width * factor, tile.height * factor)


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    if length == tile:
        return [0]
    count = -(-(length - overlap) // (tile - overlap))
    return [round(index * (length - tile) / (count - 1)) for index in range(count)]


def _ramp(length: int, overlap: int, rises: bool, falls: bool) -> FloatArray:
    ramp = np.ones(length, np.float32)
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / max(overlap, 1))
    if rises:
        ramp[:overlap] *= rise[:length]
    if falls:
        ramp[max(0, length - overlap) :] *= rise[::-1][-length:]
    return ramp
