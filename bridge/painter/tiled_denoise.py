"""The second pass of a large selection: what was painted small and enlarged is refined in tiles, at canvas density.

All tiles are denoised together: at each step the model predicts overlapping tiles of the latent plane, and what it
predicts is blended before the plane takes its step (Bar-Tal et al. 2023, "MultiDiffusion"). Neighbours thus agree at
every step, all noise is cut from one seeded plane, and memory is bounded by the tile.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..canvas.fitting import Resize, fitted, unfitted
from ..canvas.geometry import Rect, Size
from ..canvas.mask import selection_bounds
from ..canvas.model_size import ModelFit
from ..canvas.resample import resize
from ..canvas.tiles import tile_weight
from ..diffusion import DenoiseInputs, LatentModel, ModelInputs, denoise, steps_taken
from ..models import Card
from .oom_guard import OomGuard
from .prepare import PreparedInput
from .tiling import Tiling

__all__ = ["TILED_REFINE_STRENGTH", "TiledDenoiser", "TiledPlane", "knows_tiles", "plan_tiled_refine", "tile_side"]

TILED_REFINE_STRENGTH = 0.3
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
class TiledPlane:
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

    def fitted(self, array: np.ndarray, resized: Resize = resize) -> np.ndarray:
        """The window's part of an array of the context, (h, w) or (h, w, c), at `size`."""
        return fitted(array[self.window.slices], self._fit, resized, padding="edge")

    def unfitted(self, array: np.ndarray) -> np.ndarray:
        """An array at `size` at the window's own size."""
        return unfitted(array, self._fit)

    @property
    def _fit(self) -> ModelFit:
        return ModelFit(self.window.size, self.size if self.capped else self.window.size, self.size)


def knows_tiles(card: Card) -> bool:
    """Whether a checkpoint paints parts of a picture as parts.

    No to those whose tiles would show too little, and to those that know only a few whole things, and would put one
    into every tile.
    """
    return not card.known_names and card.native_pixels >= _LEAST_TILE_PIXELS


def tile_side(model: LatentModel) -> int:
    """Latents along the edge of a tile of about the checkpoint's native size."""
    return max(8, round(math.sqrt(model.checkpoint.card.native_pixels) / model.pixels_per_latent / 8) * 8)


def plan_tiled_refine(model: LatentModel, prepared: PreparedInput) -> TiledPlane | None:
    """The second pass that a job needs; None where the model's size is about the canvas's density or above.

    Also None for checkpoints that it makes worse (`knows_tiles`).
    """
    card = model.checkpoint.card
    if not knows_tiles(card):
        return None
    context = prepared.request.context.size
    shown = selection_bounds(prepared.masks.alpha)
    # Those that paint pixel by pixel up to some size do so above it too.
    above = _WELL_ABOVE if model.checkpoint.native_range is None else 1.0
    if shown is None or context.area <= above * prepared.plan.model_size.area:
        return None
    scale, side, multiple = model.pixels_per_latent, tile_side(model), model.checkpoint.family.multiple
    window = shown.expanded(max(_MARGIN, side * scale // 4)).cut_to(context) or context.rect
    most = card.native_pixels * (_MOST_ON_GPU if model.device.batches else _MOST_ON_CPU)
    size = Size(-(-window.width // multiple) * multiple, -(-window.height // multiple) * multiple)
    if window.area > most:
        reduced = math.sqrt(most / window.area)
        size = Size(*(max(1, round(edge * reduced / multiple)) * multiple for edge in (window.width, window.height)))
    tiling = Tiling.of(Size(size.width // scale, size.height // scale), side, scale)
    plane = TiledPlane(window, size, tiling)
    return replace(plane, tiling=tiling.shown(plane.fitted(prepared.masks.alpha)))


class TiledDenoiser:
    """Denoises a plane through tiles. `steps` is how many tiles are predicted for one picture."""

    def __init__(
        self, model: LatentModel, inputs: DenoiseInputs, tiling: Tiling, *, guard: OomGuard, check: Callable[[], None]
    ) -> None:
        self._model = model
        self._inputs = replace(inputs, tile=tiling.tiles[0].size.shape if tiling.tiles else None)
        self._tiling = tiling
        self._guard = guard
        self._check = check
        self.steps = steps_taken(model, self._inputs) * len(tiling.tiles)

    def denoise(self, seed: int, *, progress: Callable[[int], None], preview: Callable[..., None]) -> torch.Tensor:
        """Latents (1, c, h, w). `check` is called before each tile; `progress` is told how many of `steps` are done."""
        each = len(self._tiling.tiles)
        taken = 0

        def predicted(count: int) -> None:
            # Some samplers predict twice a step; the step's own end is told by `stepped`.
            if count < each:
                progress(taken * each + count)

        def stepped(step: int) -> None:
            nonlocal taken
            taken = step
            progress(step * each)

        def denoised() -> list[torch.Tensor]:
            nonlocal taken
            taken = 0
            return denoise(
                self._model,
                self._inputs,
                [seed],
                check=self._check,
                progress=stepped,
                preview=preview,
                predict_fn=lambda inputs: self._predict(inputs, predicted),
            )

        return self._guard.retry(denoised)[0]

    def _predict(self, inputs: ModelInputs, predicted: Callable[[int], None]) -> torch.Tensor:
        """As `LatentModel.predict`, blended of the tiles' predictions; 0 where no tile is."""
        latents, tiling = inputs.latents, self._tiling
        summed = total = None
        for count, rect in enumerate(tiling.tiles, start=1):
            self._check()
            rows, columns = rect.slices
            part = self._model.predict(inputs.crop(rows, columns, tiling.scale))
            if summed is None or total is None:
                summed = torch.zeros((*part.shape[:2], *latents.shape[2:]), device=part.device)
                total = torch.zeros(latents.shape[2:], device=part.device)
            weight = torch.from_numpy(tile_weight(rect, tiling.area, tiling.overlap)).to(part.device)
            summed[..., rows, columns] += part.float() * weight
            total[rows, columns] += weight
            predicted(count)
        assert summed is not None
        assert total is not None
        return (summed / torch.where(total > 0, total, 1)).to(latents.dtype)
