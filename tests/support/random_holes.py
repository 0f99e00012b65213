"""Random holes in the tests' photographs: crops, masks of every kind, transparency. The same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

__all__ = ["SHAPES", "RandomHole", "random_holes", "random_shape"]

SHAPES = ("rectangle", "ellipse", "brush", "blobs", "noise", "strip", "scratches", "frame", "pixel", "rings")
_PHOTOS = sorted((Path(__file__).parent.parent / "photos").glob("*.jpg"))


@dataclass(frozen=True)
class RandomHole:
    """A crop (h, w, 3) of a photograph, its hole (h, w) of coverage 0..1, and what shows, (h, w) or None: all."""

    name: str
    picture: np.ndarray
    hole: np.ndarray
    valid: np.ndarray | None

    def __str__(self) -> str:
        return self.name


def random_holes(count: int, *, seed: int, sides: tuple[int, int] = (24, 256)) -> Iterator[RandomHole]:
    """So many, each drawn from (seed, its number): crops with sides in this range, never wholly covered."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        photo_number = int(rng.integers(len(_PHOTOS)))
        photo, photo_name = _photo(photo_number), _PHOTOS[photo_number].stem
        height, width = (int(side) for side in rng.integers(sides[0], sides[1] + 1, 2))
        top, left = rng.integers(0, photo.shape[0] - height + 1), rng.integers(0, photo.shape[1] - width + 1)
        picture = photo[top : top + height, left : left + width].astype(np.float32) / 255
        shape = SHAPES[number % len(SHAPES)]
        hole = random_shape(rng, shape, height, width).astype(np.float32)
        soft = number % 4 == 3
        if soft:
            hole = np.clip(cv2.GaussianBlur(hole, (0, 0), float(rng.uniform(0.5, 5))), 0, 1)
        valid = None
        if number % 5 == 4:
            valid = ~random_shape(rng, "blobs", height, width)
        shows = np.ones(hole.shape, bool) if valid is None else valid
        if not ((hole == 0) & shows).any() or not ((hole > 0) & shows).any():
            hole[:], valid = 0, None
            hole[height // 3 : height // 2 + 1, width // 3 : width // 2 + 1] = 1
        parts = (f"seed {seed}.{number}", photo_name, shape, "soft" if soft else "hard")
        yield RandomHole(f"{', '.join(parts)}, {width}x{height}", picture, hole, valid)


def random_shape(rng: np.random.Generator, shape: str, height: int, width: int) -> np.ndarray:
    """(height, width) bool of one of `SHAPES`; it may touch the sides, and may be empty or all."""
    drawn = np.zeros((height, width), np.uint8)
    short = min(height, width)

    def point() -> tuple[int, int]:
        return int(rng.integers(0, width)), int(rng.integers(0, height))

    if shape == "rectangle":
        tall, wide = int(rng.integers(1, height + 1)), int(rng.integers(1, width + 1))
        top, left = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
        drawn[top : top + tall, left : left + wide] = 1
    elif shape == "ellipse":
        axes = tuple(int(axis) for axis in rng.integers(1, max(2, short // 2), 2))
        cv2.ellipse(drawn, point(), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    elif shape == "brush":
        points = np.array([point() for _ in range(int(rng.integers(2, 6)))], np.int32)
        cv2.polylines(drawn, [points], False, 1, int(rng.integers(1, max(2, short // 5))))
    elif shape in ("blobs", "noise"):
        field = rng.standard_normal((height, width)).astype(np.float32)
        if shape == "blobs":
            field = cv2.GaussianBlur(field, (0, 0), float(rng.uniform(1, 1 + short / 10)))
        drawn[field > np.quantile(field, rng.uniform(0.3, 0.95))] = 1
    elif shape == "strip":
        depth = int(rng.integers(1, max(2, short // 2)))
        drawn = np.rot90(np.pad(np.ones((depth, 1), np.uint8), ((0, max(height, width) - depth), (0, 0))))
        drawn = np.broadcast_to(drawn, (height, max(height, width)))[:, :width]
        if rng.random() < 0.5:
            drawn = drawn[:, ::-1]
    elif shape == "scratches":
        for _ in range(int(rng.integers(1, 8))):
            cv2.line(drawn, point(), point(), 1, int(rng.integers(1, 4)))
    elif shape == "frame":
        edge = int(rng.integers(1, max(2, short // 3)))
        drawn[:] = 1
        drawn[edge : height - edge, edge : width - edge] = 0
        if rng.random() < 0.5:
            drawn = 1 - drawn
    elif shape == "rings":
        # Holes in holes, each within the last one's middle.
        value, top, left, tall, wide = 1, 0, 0, height, width
        while min(tall, wide) > 2:
            drawn[top : top + tall, left : left + wide] = value
            value = 1 - value
            down, across = (int(rng.integers(1, max(2, side // 3))) for side in (tall, wide))
            top, left, tall, wide = top + down, left + across, tall - 2 * down, wide - 2 * across
        if rng.random() < 0.5:
            drawn = 1 - drawn
    elif shape == "pixel":
        drawn[point()[::-1]] = 1
    else:
        raise ValueError(shape)
    return drawn.astype(bool)


@lru_cache(maxsize=len(_PHOTOS))
def _photo(number: int) -> np.ndarray:
    data = cv2.imread(str(_PHOTOS[number]), cv2.IMREAD_COLOR)
    assert data is not None
    return cv2.cvtColor(data, cv2.COLOR_BGR2RGB)
