"""The second pass of a large selection: what was painted small and enlarged is refined in tiles, at canvas density.

All tiles are denoised together: at each step the UNet looks at the latent plane through overlapping tiles, and what it
predicts is blended before the plane takes its step (Bar-Tal et al. 2023, "MultiDiffusion"). Neighbours thus agree at
every step, all noise is cut from one seeded plane, and memory is bounded by the tile.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..canvas.geometry import Rect, Size
from ..canvas.mask import selection_bounds
from ..canvas.resample import resize
from ..canvas.tiles import tile_weight
from ..diffusion import Components, Control, Walk, denoise, predict, steps_taken
from ..models import Card
from .room import Room
from .scene import Scene
from .vae import Tiling

__all__ = ["DENSE_STRENGTH", "Density", "TiledWalk", "knows_tiles", "plan_density", "tile_side"]

DENSE_STRENGTH = 0.3
"""The strength of the second pass: enough to sharpen what was enlarged, too little to put other things there."""

# Contexts of fewer times the model's pixels are hardly blurred by being enlarged.
_WELL_ABOVE = 2.0
# The most that the pass paints, in times the checkpoint's native pixels: some 3 and 8 times the work of the first pass.
_MOST_ON_CPU = 4.0
_MOST_ON_GPU = 16.0
# A tile of fewer pixels shows no checkpoint what it is a part of.
_LEAST_TILE_PIXELS = 256 * 256
_MARGIN = 64


@dataclass(frozen=True)
class Density:
    """How the pass is laid out.

    `window` is what it looks at, local to the context; `size` the pixels that it is painted at: the window's own,
    rounded up to whole latents, or fewer where that would be too much work. `tiling` has the
    tiles that the layer shows.
    """

    window: Rect
    size: Size
    tiling: Tiling

    @property
    def capped(self) -> bool:
        """Whether the canvas is denser still."""
        return self.size.width < self.window.width or self.size.height < self.window.height

    def fitted(self, array: np.ndarray, resized: Callable[[np.ndarray, Size], np.ndarray] = resize) -> np.ndarray:
        """The window's part of an array of the context, (h, w) or (h, w, c), at `size`."""
        cut = array[self.window.slices]
        if self.capped:
            return resized(cut, self.size)
        below, right = self.size.height - self.window.height, self.size.width - self.window.width
        padded: np.ndarray = np.pad(cut, ((0, below), (0, right), *((0, 0),) * (cut.ndim - 2)), mode="edge")
        return padded

    def unfitted(self, array: np.ndarray) -> np.ndarray:
        """An array at `size` at the window's own size."""
        if self.capped:
            return resize(array, self.window.size)
        return array[: self.window.height, : self.window.width]


def knows_tiles(card: Card) -> bool:
    """Whether a checkpoint paints parts of a picture as parts.

    No to those whose tiles would show too little, and to those that know only a few whole things, and would put one
    into every tile.
    """
    return not card.known_names and card.native_pixels >= _LEAST_TILE_PIXELS


def tile_side(components: Components) -> int:
    """Latents along the edge of a tile of about the checkpoint's native size."""
    return max(8, round(math.sqrt(components.checkpoint.card.native_pixels) / components.vae_scale / 8) * 8)


def plan_density(components: Components, scene: Scene) -> Density | None:
    """The second pass that a scene needs; None where the model's size is about the canvas's density or above.

    Also None for checkpoints that it makes worse (`knows_tiles`).
    """
    card = components.checkpoint.card
    if not knows_tiles(card):
        return None
    context = scene.request.context.size
    shown = selection_bounds(scene.masks.alpha)
    if shown is None or context.area <= _WELL_ABOVE * scene.plan.model_size.area:
        return None
    scale, side = components.vae_scale, tile_side(components)
    window = shown.expanded(max(_MARGIN, side * scale // 4)).cut_to(context) or context.rect
    most = card.native_pixels * (_MOST_ON_GPU if components.device.batches else _MOST_ON_CPU)
    size = Size(-(-window.width // scale) * scale, -(-window.height // scale) * scale)
    if window.area > most:
        reduced = math.sqrt(most / window.area)
        size = Size(*(max(1, round(edge * reduced / scale)) * scale for edge in (window.width, window.height)))
    tiling = Tiling.of(Size(size.width // scale, size.height // scale), side, scale)
    density = Density(window, size, tiling)
    return replace(density, tiling=tiling.shown(density.fitted(scene.masks.alpha)))


class TiledWalk:
    """A walk that looks at its latent plane through tiles. `steps` is how many tiles one picture looks at."""

    def __init__(
        self, components: Components, walk: Walk, tiling: Tiling, *, room: Room, check: Callable[[], None]
    ) -> None:
        self._components = components
        self._walk = walk
        self._tiling = tiling
        self._room = room
        self._check = check
        self.steps = steps_taken(components, walk) * len(tiling.tiles)

    def denoise(self, seed: int, *, progress: Callable[[int], None], preview: Callable[..., None]) -> torch.Tensor:
        """Latents (1, c, h, w). `check` is called before each tile; `progress` hears how many of `steps` are done."""
        each = len(self._tiling.tiles)
        taken = 0

        def looked(count: int) -> None:
            # Some samplers look twice a step; the step's own end is told by `stepped`.
            if count < each:
                progress(taken * each + count)

        def stepped(step: int) -> None:
            nonlocal taken
            taken = step
            progress(step * each)

        def walked() -> list[torch.Tensor]:
            nonlocal taken
            taken = 0
            return denoise(
                self._components,
                self._walk,
                [seed],
                check=self._check,
                progress=stepped,
                preview=preview,
                look=_Look(self._tiling, self._check, looked),
            )

        return self._room.twice(walked)[0]


class _Look:
    """Looks at a plane through tiles, as `predict` at all of it. What it predicts is 0 where no tile is."""

    def __init__(self, tiling: Tiling, check: Callable[[], None], looked: Callable[[int], None]) -> None:
        self._tiling = tiling
        self._check = check
        self._looked = looked

    def __call__(
        self, components: Components, inputs: torch.Tensor, *asked: Any, controls: Sequence[Control], **options: Any
    ) -> torch.Tensor:
        summed = total = None
        for count, rect in enumerate(self._tiling.tiles, start=1):
            self._check()
            rows, columns = rect.slices
            seen = [control.cut(*self._tiling.pixels(rect).slices) for control in controls]
            part = predict(components, inputs[..., rows, columns], *asked, controls=seen, **options)
            if summed is None or total is None:
                summed = torch.zeros((*part.shape[:2], *inputs.shape[2:]), device=part.device)
                total = torch.zeros(inputs.shape[2:], device=part.device)
            weight = torch.from_numpy(tile_weight(rect, self._tiling.area, self._tiling.overlap)).to(part.device)
            summed[..., rows, columns] += part.float() * weight
            total[rows, columns] += weight
            self._looked(count)
        assert summed is not None
        assert total is not None
        return (summed / torch.where(total > 0, total, 1)).to(inputs.dtype)
