"""From painted pixels to a layer that sits in the picture without a seam."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .colour import lab_to_rgb, rgb_to_lab
from .distance import distance_to
from .errors import EmptySelection
from .geometry import Rect
from .mask import selection_bounds
from .types import BoolArray, FloatArray

__all__ = ["Layer", "compose_layer", "cut_layer", "match_colour"]

_LEAST_RING = 64
_SPREAD_LIMITS = (0.8, 1.25)
# Differences of spread below this are grain, in units of L*a*b*.
_LEAST_SPREAD = 0.5


@dataclass(frozen=True)
class Layer:
    """What comes back to the host.

    `pixels` is (h, w, 4), sRGB-encoded, straight alpha; colour is 0 where alpha is. `rect` says where it lies on the
    canvas. `reach` is how far beyond the selection alpha may be above 0, in pixels.
    """

    pixels: FloatArray
    rect: Rect
    reach: int


def match_colour(
    painted_rgb: FloatArray, original_rgb: FloatArray, mask: FloatArray, valid: BoolArray | None
) -> FloatArray:
    """Bring painted colours to the surroundings': mean and spread in L*a*b* of the ring just outside the mask.

    In that ring the model has repeated the original, so what differs there is its own cast (Reinhard et al., "Color
    Transfer between Images", 2001). The spread is changed by a quarter at most.

    Args:
        painted_rgb, original_rgb: (h, w, 3) of the context.
        mask: (h, w); the ring is where it is 0 and close to where it is not.
        valid: (h, w), False where the original shows nothing (transparent); None: all valid.

    Returns:
        (h, w, 3); `painted_rgb` itself when the ring has fewer than 64 pixels to learn from.
    """
    inside = mask > 0
    ring = _ring(inside)
    if valid is not None:
        ring &= valid
    if int(ring.sum()) < _LEAST_RING:
        return painted_rgb
    target, own = rgb_to_lab(original_rgb[ring]), rgb_to_lab(painted_rgb[ring])
    target_mean, own_mean = target.mean(axis=0, dtype=np.float64), own.mean(axis=0, dtype=np.float64)
    target_spread, own_spread = (
        np.sqrt(values.var(axis=0, dtype=np.float64) + _LEAST_SPREAD**2) for values in (target, own)
    )
    ratio = np.clip(target_spread / own_spread, *_SPREAD_LIMITS)
    if np.abs(target_mean - own_mean).max() < 1e-4 and np.abs(ratio - 1).max() < 1e-5:
        return painted_rgb
    lab = rgb_to_lab(painted_rgb)
    lab *= ratio.astype(np.float32)
    lab += (target_mean - own_mean * ratio).astype(np.float32)
    return lab_to_rgb(lab)


def compose_layer(
    painted_rgb: FloatArray,
    picture: FloatArray,
    alpha: FloatArray,
    context: Rect,
    *,
    cover_transparent: bool = False,
    reach: int = 0,
) -> Layer:
    """Make the layer: painted colour under `alpha`, cropped to where that is above 0.

    Args:
        painted_rgb: (h, w, 3) of the context, at canvas density.
        picture: (h, w, 4) of the context, as it was.
        alpha: (h, w), from `build_masks`.
        context: where all of these lie on the canvas.
        cover_transparent: whether the layer may cover what was transparent (expanding, or painting afresh); otherwise
            the picture's own alpha holds it back.
        reach: handed on.

    Raises:
        EmptySelection: alpha is 0 everywhere.
    """
    covering = alpha if cover_transparent else alpha * picture[..., 3]
    local = selection_bounds(covering)
    if local is None:
        raise EmptySelection(
            "The selection covers only transparent pixels, so there is nothing to repaint; choose expand to cover them."
        )
    return cut_layer(painted_rgb, covering, local, context, reach=reach)


def cut_layer(painted_rgb: FloatArray, covering: FloatArray, local: Rect, context: Rect, *, reach: int = 0) -> Layer:
    """The layer of `local`, a part of the context: painted colour (h, w, 3) under `covering` (h, w)."""
    pixels = np.empty((local.height, local.width, 4), np.float32)
    cut = covering[local.slices]
    pixels[..., :3] = painted_rgb[local.slices]
    pixels[..., 3] = cut
    pixels[cut <= 0] = 0
    return Layer(pixels, local.translated(context.x, context.y), reach)


def _ring(inside: BoolArray) -> BoolArray:
    """The pixels just outside, as wide as an eighth of the mask's size, within 8..64 pixels."""
    if not inside.any():
        return np.zeros_like(inside)
    width = int(np.clip(np.sqrt(np.count_nonzero(inside)) / 8, 8, 64))
    distance = distance_to(inside)
    ring: BoolArray = (distance > 0) & (distance <= width)
    return ring
