"""Training pictures: things cut out, placed on photographs and procedural backgrounds, with shadows; and their masks.

Everything is a function of a numpy generator, so that a step's batch depends on the seed and the step alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .mini_dataset import Cutout, Photograph

__all__ = ["Composite", "background", "compose", "procedural", "step_generator"]

cv2.setNumThreads(1)


@dataclass(frozen=True)
class Composite:
    """A picture (size, size, 3) uint8, and the placed thing's coverage (size, size) float32 0..1."""

    picture: np.ndarray
    coverage: np.ndarray


def step_generator(seed: int, step: int, stream: int = 0) -> np.random.Generator:
    """The generator for one step: equal for equal arguments, whatever ran before."""
    return np.random.default_rng((seed, step, stream))


def procedural(rng: np.random.Generator, size: int) -> np.ndarray:
    """A made-up background (size, size, 3) uint8: a gradient, sometimes with stripes or soft noise on it."""
    low, high = rng.uniform(0, 255, (2, 3))
    if rng.random() < 0.35:
        low = high = np.full(3, rng.uniform(120, 255)) + rng.uniform(-15, 15, 3)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    along = x * np.cos(angle) + y * np.sin(angle)
    picture = low + (high - low) * (along[..., None] + 0.5)
    kind = rng.random()
    if kind < 0.2:
        waves = np.sin(along * rng.uniform(6, 60) + rng.uniform(0, 6))
        picture = picture + waves[..., None] * rng.uniform(5, 40, 3)
    elif kind < 0.55:
        noise = np.zeros((size, size, 3), np.float32)
        for cells in (3, 6, 12, 24):
            grid = rng.normal(0, 1, (cells, cells, 3 if rng.random() < 0.5 else 1)).astype(np.float32)
            layer = cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
            noise += np.atleast_3d(layer) * rng.uniform(2, 45) / np.sqrt(cells)
        picture = picture + noise
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def background(rng: np.random.Generator, size: int, photographs: list[Photograph], made_up: float = 0.35) -> np.ndarray:
    """A crop of a photograph at some scale, or with probability ``made_up`` a procedural one: (size, size, 3) uint8."""
    if rng.random() < made_up:
        return procedural(rng, size)
    areas = np.array([photograph.rgb.size for photograph in photographs], np.float64)
    rgb = photographs[rng.choice(len(photographs), p=areas / areas.sum())].rgb
    height, width = rgb.shape[:2]
    side = int(np.exp(rng.uniform(np.log(min(size, height)), np.log(height))))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    crop = cv2.resize(rgb[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)
    return crop[:, ::-1].copy() if rng.random() < 0.5 else crop


def compose(
    rng: np.random.Generator,
    behind: np.ndarray,
    cutout: Cutout,
    centre: tuple[float, float],
    side: float,
    turn: float,
    mirrored: float = 0.5,
) -> Composite:
    """Place a thing on a background.

    ``centre`` and ``side`` (of the cut-out's square) are in pixels of ``behind``; ``turn`` is in degrees; ``mirrored``
    is how often the thing looks the other way. It takes a little of the background's light, and half of the things
    throw a soft shadow.
    """
    size = behind.shape[0]
    thing = cutout.rgba.astype(np.float32) / 255
    thing[..., :3] *= thing[..., 3:]
    if rng.random() < mirrored:
        thing = thing[:, ::-1]
    sized = cv2.resize(thing, (max(4, round(side)),) * 2, interpolation=cv2.INTER_AREA)
    half = sized.shape[0] / 2
    placed_by = cv2.getRotationMatrix2D((half - 0.5, half - 0.5), turn, 1.0)
    placed_by[:, 2] += (centre[0] - half + 0.5, centre[1] - half + 0.5)
    placed = cv2.warpAffine(sized, placed_by, (size, size), flags=cv2.INTER_LINEAR)
    coverage = np.clip(placed[..., 3:], 0, 1)
    below = behind.astype(np.float32) / 255
    light = below.mean((0, 1))
    tint = 1 + rng.uniform(0, 0.25) * (light - 0.5)
    if rng.random() < 0.5:
        below = below * (1 - rng.uniform(0.15, 0.5) * _shadow(coverage[..., 0], side)[..., None])
    picture = np.clip(placed[..., :3] * tint, 0, 1) + below * (1 - coverage)
    return Composite(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8), coverage[..., 0])


def _shadow(coverage: np.ndarray, side: float) -> np.ndarray:
    """The thing's own coverage, moved down and blurred."""
    moved = cv2.warpAffine(coverage, np.array([[1, 0, 0], [0, 1, side * 0.06]], np.float32), coverage.shape[::-1])
    return np.asarray(cv2.GaussianBlur(moved, (0, 0), max(1.0, side * 0.05)))
