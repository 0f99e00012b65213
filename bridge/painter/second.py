"""What the second pass does with a picture: bring it to its surroundings, refine it in tiles, put it back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from ..canvas.composite import match_colour
from ..diffusion import Components, Walk
from .conditions import Guides
from .density import DENSE_STRENGTH, Density, TiledWalk
from .detail import keep_detail
from .latent_masks import pooled
from .room import Room
from .scene import Scene

__all__ = ["Draft", "SecondPass"]

# Another noise than the first pass's, from the same seed.
_OTHER_NOISE = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Draft:
    """A picture between the pass's denoising and its decoding: (h, w, 3) of the context, and latents of the window."""

    picture: np.ndarray
    original: torch.Tensor
    latents: torch.Tensor


class SecondPass:
    """Refines pictures (h, w, 3) of the context, made by `first`, where the layer shows them.

    `steps` is how many tiles one picture's denoising looks at. `fresh` pictures look at no surroundings.
    """

    def __init__(
        self,
        components: Components,
        scene: Scene,
        density: Density,
        first: Walk,
        *,
        fresh: bool,
        guides: Guides,
        room: Room,
        check: Callable[[], None],
    ) -> None:
        self._components = components
        self._scene = scene
        self._density = density
        self._fresh = fresh
        self._encode = partial(room.encode, components, check=check)
        self._decode = partial(room.decode, components, check=check)
        self._tiled = partial(TiledWalk, components, tiling=density.tiling, room=room, check=check)
        self._strength = min(first.strength, DENSE_STRENGTH)
        self._walk = replace(
            first,
            size=density.tiling.area.shape,
            strength=self._strength,
            original=None,
            coverage=None,
            masked=None,
            hole=None,
            controls=guides.at(density.fitted),
        )
        self.steps = self._tiled(self._walk).steps

    def denoise(self, picture: np.ndarray, seed: int, *, progress: Callable[[int], None]) -> Draft:
        """The picture's latents at the canvas's density; `progress` hears how many of `steps` are done."""
        density = self._density
        picture = self._in_its_surroundings(picture)
        pixels = density.fitted(picture)
        original = density.tiling.encode(self._encode, pixels)
        walk = self._confined(replace(self._walk, original=original), pixels)
        latents = self._tiled(walk).denoise(seed ^ _OTHER_NOISE, progress=progress, preview=lambda *_: None)
        return Draft(picture, original, latents)

    def finish(self, draft: Draft) -> np.ndarray:
        """The picture, refined."""
        density, window = self._density, self._density.window.slices
        pixels = density.fitted(draft.picture)
        refined, round_trip = (
            density.unfitted(density.tiling.decode(self._decode, latents, pixels))
            for latents in (draft.latents, draft.original)
        )
        picture = draft.picture.copy()
        picture[window] = keep_detail(refined, draft.picture[window], round_trip, self._strength)
        return picture

    def _in_its_surroundings(self, picture: np.ndarray) -> np.ndarray:
        """With the surroundings' colours, and what is not repainted as sharp as it is."""
        if self._fresh:
            return picture
        scene, window = self._scene, self._density.window.slices
        denoised = scene.masks.denoise
        picture = picture.copy()
        picture[window] = match_colour(picture[window], scene.rgb[window], denoised[window], scene.valid[window])
        return np.where(denoised[..., None] > 0, picture, scene.rgb)

    def _confined(self, walk: Walk, pixels: np.ndarray) -> Walk:
        """The walk with its masks, as the first pass has them."""
        density, masks = self._density, self._scene.masks
        size = density.tiling.area.shape
        if self._components.checkpoint.inpaint:
            blank = np.ones(density.size.shape, bool) if self._fresh else density.fitted(masks.alpha) > 0
            under = pixels if self._scene.shown and not self._fresh else np.float32(0.5)
            blanked = np.where(blank[..., None], under, pixels)
            masked = density.tiling.encode(self._encode, blanked)
            return replace(walk, masked=masked, hole=pooled(blank.astype(np.float32), size))
        if self._fresh:
            return walk
        return replace(walk, coverage=pooled(density.fitted(masks.denoise), size))
