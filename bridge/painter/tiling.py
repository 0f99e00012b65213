"""Planes too large for the VAE at once: through it tile by tile, blended without grid."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..canvas.geometry import Rect, Size
from ..canvas.tiles import blend_tiles, enlarged, plan_tiles

__all__ = ["Tiling"]


@dataclass(frozen=True)
class Tiling:
    """Overlapping tiles of a latent plane of the size `area`, in latents; `scale` pixels to each along an edge."""

    area: Size
    tiles: tuple[Rect, ...]
    overlap: int
    scale: int

    @classmethod
    def of(cls, area: Size, side: int, scale: int) -> "Tiling":
        """Square tiles that cover the area, and share a quarter of their side at least."""
        overlap = side // 4
        return cls(area, tuple(plan_tiles(area, Size(side, side), overlap)), overlap, scale)

    def shown(self, alpha: np.ndarray) -> "Tiling":
        """With those tiles alone in which `alpha` (h, w), of the area in pixels, is above 0."""
        return replace(self, tiles=tuple(tile for tile in self.tiles if alpha[self.pixels(tile).slices].any()))

    def pixels(self, tile: Rect) -> Rect:
        """A tile in pixels."""
        return enlarged(tile, self.scale)

    def encode(self, encode: Callable[[np.ndarray], torch.Tensor], rgb: np.ndarray) -> torch.Tensor:
        """The latents (1, c, h, w) that `encode` gives for each tile of `rgb` (h, w, 3); 0 where no tile is."""
        device = torch.device("cpu")

        def encoded() -> Iterator[tuple[Rect, np.ndarray]]:
            nonlocal device
            for tile in self.tiles:
                latents = encode(rgb[self.pixels(tile).slices])
                device = latents.device
                yield tile, latents[0].permute(1, 2, 0).cpu().numpy()

        plane = blend_tiles(encoded(), self.area, self.overlap, elsewhere=np.zeros((*self.area.shape, 1), np.float32))
        return torch.from_numpy(plane).permute(2, 0, 1)[None].contiguous().to(device)

    def decode(
        self, decode: Callable[[torch.Tensor], np.ndarray], latents: torch.Tensor, elsewhere: np.ndarray | None = None
    ) -> np.ndarray:
        """The picture (h, w, 3) that `decode` gives for each tile of the latents; `elsewhere` where no tile is."""

        def decoded() -> Iterator[tuple[Rect, np.ndarray]]:
            for tile in self.tiles:
                rows, columns = tile.slices
                yield self.pixels(tile), decode(latents[..., rows, columns])

        size = self.pixels(self.area.rect).size
        return blend_tiles(decoded(), size, self.overlap * self.scale, elsewhere=elsewhere)
