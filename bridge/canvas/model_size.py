"""The size at which a model paints a rectangle of the canvas, and how those pixels become its own; standard library."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .geometry import Size

__all__ = ["ModelFit", "PixelRange", "fit_to_model", "model_size"]

PixelRange = tuple[int, int]
"""The fewest and the most pixels that a model paints well, so that within it nothing need be resampled."""

# A side of fewer latents than this tells the model nothing.
_MIN_MODEL_SIDE = 64
# The longest side, in edges of a square of the native size: positions further apart were never seen in training.
_LONGEST = 4


@dataclass(frozen=True)
class ModelFit:
    """How a rectangle of canvas pixels becomes what a model paints: resampled to `scaled`, then padded to `size`.

    `canvas` is the rectangle's size; where `scaled` is the same, its pixels reach the model as they are.
    """

    canvas: Size
    scaled: Size
    size: Size

    @property
    def reduced(self) -> bool:
        """Whether the model paints fewer pixels than the canvas has there."""
        return self.scaled.area < self.canvas.area


def fit_to_model(
    canvas: Size, *, native_pixels: int, multiple: int, native_range: PixelRange | None = None
) -> ModelFit:
    """How a rectangle of that size is painted.

    A model with a `native_range` paints what lies within it, padded to edges of multiples of `multiple`, pixel by
    pixel; smaller rectangles are enlarged evenly to the range's least, larger ones reduced to `native_pixels`, and
    padded likewise. Others paint at `model_size`, to which the rectangle is resampled without padding.
    """
    if native_range is None:
        size = model_size(canvas, native_pixels=native_pixels, multiple=multiple)
        return ModelFit(canvas, size, size)
    least, most = native_range
    longest = _LONGEST * math.isqrt(native_pixels)

    def padded(scaled: Size) -> Size:
        sides = (max(side, _MIN_MODEL_SIDE) for side in (scaled.width, scaled.height))
        return Size(*(-(-side // multiple) * multiple for side in sides))

    size = padded(canvas)
    if canvas.area >= least and size.area <= most and max(size.width, size.height) <= longest:
        return ModelFit(canvas, canvas, size)
    wanted = least if canvas.area < least else native_pixels
    scale = min(math.sqrt(wanted / canvas.area), longest / max(canvas.width, canvas.height))
    scaled = Size(*(max(1, round(side * scale)) for side in (canvas.width, canvas.height)))
    return ModelFit(canvas, scaled, padded(scaled))


def model_size(context: Size, *, native_pixels: int, multiple: int) -> Size:
    """The size to paint a context at: about `native_pixels`, sides multiples of `multiple`, the context's aspect ratio.

    Of the sizes around the exact one, the least distorted that has at most 5 % more pixels than `native_pixels` wins.
    Sides are at least 64 px: beyond an aspect ratio of native_pixels / 64**2 the picture is squeezed.
    """
    least = math.ceil(_MIN_MODEL_SIDE / multiple) * multiple
    scale = math.sqrt(native_pixels / context.area)
    aspect = context.width / context.height

    def around(side: int) -> set[int]:
        units = side * scale / multiple
        return {max(least, math.floor(units) * multiple), max(least, math.ceil(units) * multiple)}

    def cost(size: Size) -> tuple[float, int]:
        excess = max(0.0, size.area / native_pixels - 1.05)
        shortfall = max(0.0, 0.9 - size.area / native_pixels)
        distortion = abs(math.log(size.width / size.height / aspect))
        return distortion + 4 * (excess + shortfall), -size.area

    sides = [Size(w, h) for w in sorted(around(context.width)) for h in sorted(around(context.height))]
    best = min(sides, key=cost)
    if best.area > 1.5 * native_pixels:
        # One side is held at the least; the other gives way.
        longest = max(least, math.floor(native_pixels / least / multiple) * multiple)
        best = Size(min(best.width, longest), min(best.height, longest))
    return best
