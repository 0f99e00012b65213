"""What the second pass does with a picture: bring it to its surroundings, refine it in tiles, put it back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from ..canvas.composite import match_colour
from ..diffusion import DenoiseInputs, LatentModel, pooled_mask
from .conditions import Networks, prepare_conditioners
from .context import picture_beside
from .detail import keep_detail
from .oom_guard import OomGuard
from .prepare import PreparedInput
from .regions import place_regions
from .tiled_denoise import TILED_REFINE_STRENGTH, TiledDenoiser, TiledPlane

__all__ = ["Draft", "TiledRefine"]

# Another noise than the first pass's, from the same seed.
_OTHER_NOISE = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Draft:
    """A picture between the pass's denoising and its decoding: (h, w, 3) of the context, and latents of the window."""

    picture: np.ndarray
    init_latents: torch.Tensor
    latents: torch.Tensor


class TiledRefine:
    """Refines pictures (h, w, 3) of the context, made by `first`, where the layer shows them.

    `steps` is how many tiles are predicted for one picture. `fresh` pictures look at no surroundings.
    """

    def __init__(
        self,
        model: LatentModel,
        prepared: PreparedInput,
        plane: TiledPlane,
        first: DenoiseInputs,
        *,
        fresh: bool,
        networks: Networks,
        guard: OomGuard,
        check: Callable[[], None],
    ) -> None:
        self._model = model
        self._prepared = prepared
        self._plane = plane
        self._fresh = fresh
        self._encode = partial(guard.encode, model, check=check)
        self._decode = partial(guard.decode, model, check=check)
        self._tiled = partial(TiledDenoiser, model, tiling=plane.tiling, guard=guard, check=check)
        self._strength = min(first.strength, TILED_REFINE_STRENGTH)
        self._inputs = replace(
            first,
            size=plane.tiling.area.shape,
            strength=self._strength,
            init_latents=None,
            denoise_mask=None,
            masked_image_latents=None,
            mask=None,
            conditioners=prepare_conditioners(prepared.request, networks, model, plane.fitted),
            regions=place_regions(prepared.request.regions, [one.prompt for one in first.regions], model, plane.fitted),
        )
        self.steps = self._tiled(self._inputs).steps

    def denoise(self, picture: np.ndarray, seed: int, *, progress: Callable[[int], None]) -> Draft:
        """The picture's latents at the canvas's density; `progress` is told how many of `steps` are done."""
        plane = self._plane
        picture = self._in_its_surroundings(picture)
        pixels = plane.fitted(picture)
        init_latents = plane.tiling.encode(self._encode, pixels)
        inputs = self._confined(replace(self._inputs, init_latents=init_latents), pixels)
        latents = self._tiled(inputs).denoise(seed ^ _OTHER_NOISE, progress=progress, preview=lambda *_: None)
        return Draft(picture, init_latents, latents)

    def finish(self, draft: Draft) -> np.ndarray:
        """The picture, refined."""
        plane, window = self._plane, self._plane.window.slices
        pixels = plane.fitted(draft.picture)
        refined, round_trip = (
            plane.unfitted(plane.tiling.decode(self._decode, latents, pixels))
            for latents in (draft.latents, draft.init_latents)
        )
        picture = draft.picture.copy()
        picture[window] = keep_detail(refined, draft.picture[window], round_trip, self._strength)
        return picture

    def _in_its_surroundings(self, picture: np.ndarray) -> np.ndarray:
        """With the surroundings' colours, and what is not repainted as sharp as it is."""
        if self._fresh:
            return picture
        prepared, window = self._prepared, self._plane.window.slices
        denoised = prepared.masks.denoise
        picture = picture.copy()
        picture[window] = match_colour(picture[window], prepared.rgb[window], denoised[window], prepared.valid[window])
        return np.where(denoised[..., None] > 0, picture, prepared.rgb)

    def _confined(self, inputs: DenoiseInputs, pixels: np.ndarray) -> DenoiseInputs:
        """The inputs with their masks, as the first pass has them."""
        model, plane, masks = self._model, self._plane, self._prepared.masks
        blank = np.ones(plane.size.shape, bool) if self._fresh else plane.fitted(masks.alpha) > 0
        if model.mask_input.sees_picture(blank):
            beside = picture_beside(model, pixels, blank, shown=self._prepared.shown and not self._fresh)
            inputs = replace(
                inputs,
                masked_image_latents=inputs.init_latents
                if beside is pixels
                else plane.tiling.encode(self._encode, beside),
                mask=model.encode_mask(blank.astype(np.float32)),
            )
        if self._fresh or not model.mask_input.blends:
            return inputs
        return replace(inputs, denoise_mask=pooled_mask(plane.fitted(masks.denoise), model.pixels_per_latent))
