"""Examples for the denoiser: a picture with a thing, a mask around it, and their latents, kept in memory."""

from dataclasses import dataclass

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor
from torch.nn import functional

from .autoencoder import to_tensor
from .compose import background, compose, step_generator
from .masks import MASK_KINDS, mask_around
from .mini_dataset import Cutout, Photograph
from .precision import has_bfloat16

__all__ = ["NO_THING", "Example", "Examples", "encoded", "example"]

NO_THING = -1
BACKGROUND_ALONE = 0.05


@dataclass(frozen=True)
class Example:
    """A picture (size, size, 3) uint8, a mask (size, size) bool, the thing's coverage (size, size) 0..1 and its index,
    or ``NO_THING``; and what the model is shown under the mask, as a picture, or None where that is grey.
    """

    picture: np.ndarray
    mask: np.ndarray
    coverage: np.ndarray
    thing: int
    shown: np.ndarray | None = None


def example(
    rng: np.random.Generator,
    size: int,
    things: list[Cutout],
    photographs: list[Photograph],
    sides: tuple[float, float],
    mirrored: float = 0.5,
    shown: float = 0.0,
) -> Example:
    """Make one example, of a thing whose side is between two shares of the picture's.

    ``shown`` is how often the model sees what lies behind the thing, as a good infill would guess it.
    """
    behind = background(rng, size, photographs)
    kind = str(rng.choice(list(MASK_KINDS), p=list(MASK_KINDS.values())))
    thing = int(rng.integers(len(things)))
    side = size * rng.uniform(*sides)
    room = max(0.0, (size - 0.9 * side) / 2)
    centre = tuple(size / 2 + rng.uniform(-room, room, 2) * 0.25)
    placed = compose(rng, behind, things[thing], centre, side, float(rng.normal(0, 3)), mirrored)
    mask = mask_around(rng, placed.coverage, kind)
    under = behind if kind != "all" and rng.random() < shown else None
    if rng.random() < BACKGROUND_ALONE:
        return Example(behind, mask, np.zeros_like(placed.coverage), NO_THING, under)
    return Example(placed.picture, mask, placed.coverage, thing, under)


class Examples:
    """``count`` examples of one size, each a function of the seed and its index, encoded when first asked for."""

    def __init__(
        self,
        autoencoder: AutoencoderKL,
        things: list[Cutout],
        photographs: list[Photograph],
        *,
        size: int,
        count: int,
        seed: int,
        sides: tuple[float, float],
        mirrored: float = 0.5,
        shown: float = 0.0,
    ) -> None:
        self.autoencoder, self.things, self.photographs = autoencoder, things, photographs
        self.size, self.seed, self.sides, self.mirrored, self.shown = size, seed, sides, mirrored, shown
        plane = size // 8
        self.known = np.zeros(count, bool)
        self.thing = np.zeros(count, np.int64)
        self.latents = torch.zeros(count, 10, plane, plane)

    def __len__(self) -> int:
        return len(self.known)

    def get(self, indices: np.ndarray) -> tuple[Tensor, np.ndarray]:
        """(n, 10, h/8, w/8): target latents, mask, masked picture's latents, scaled, and the thing's coverage; and (n,)
        the things' indices.
        """
        missing = [int(index) for index in indices if not self.known[index]]
        if missing:
            self._encode(missing)
        return self.latents[indices], self.thing[indices]

    def _made(self, index: int) -> Example:
        rng = step_generator(self.seed, index, self.size)
        return example(rng, self.size, self.things, self.photographs, self.sides, self.mirrored, self.shown)

    def _encode(self, indices: list[int]) -> None:
        made = [self._made(index) for index in indices]
        pictures = to_tensor(np.stack([one.picture for one in made]))
        masks = torch.from_numpy(np.stack([one.mask for one in made])).float()[:, None]
        # As the stock inpainting pipeline has it: every eighth pixel of the mask, grey under it where nothing is shown.
        shown = to_tensor(np.stack([one.picture if one.shown is None else one.shown for one in made]))
        grey = torch.tensor([one.shown is None for one in made])[:, None, None, None]
        under = shown.masked_fill(grey, 0)
        latents = encoded(self.autoencoder, torch.cat([pictures, torch.lerp(pictures, under, masks)]))
        target, masked = latents.chunk(2)
        coverage = functional.avg_pool2d(torch.from_numpy(np.stack([one.coverage for one in made]))[:, None], 8)
        self.latents[indices] = torch.cat([target, masks[:, :, ::8, ::8], masked, coverage], 1)
        self.thing[indices] = [one.thing for one in made]
        self.known[indices] = True


@torch.no_grad()
def encoded(autoencoder: AutoencoderKL, pictures: Tensor) -> Tensor:
    """The scaled latents of pictures (n, 3, h, w) in [-1, 1], without the autoencoder's noise."""
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
        means = autoencoder.encode(pictures).latent_dist.mode()
    return means.float() * autoencoder.config["scaling_factor"]
