"""Whether prompts for regions are painted each in its own: two things by name, left and right of a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..painter import Region
from ..training.autoencoder import to_tensor
from ..training.compose import compose, step_generator
from ..training.lpips import Lpips
from ..training.mini_dataset import Cutout
from .filling import Filler

__all__ = ["Halves", "each_on_its_side"]

_SIDE = 256
# Two squares beside one another, in the picture's middle.
_SQUARE = 96
_SHARES = (0.75, 0.9, 1.05)
_TOP = (_SIDE - _SQUARE) // 2
_LEFT, _LINE = _SIDE // 2 - _SQUARE, _SIDE // 2


@dataclass(frozen=True)
class Halves:
    """The two halves of what is selected of a picture (256, 256, 3) uint8, and what is asked for in them."""

    behind: np.ndarray
    left: str
    right: str

    def paint(self, filler: Filler, seed: int) -> np.ndarray:
        """The picture with both things."""
        selected = np.zeros((_SIDE, _SIDE), bool)
        selected[_TOP : _TOP + _SQUARE, _LEFT : _LINE + _SQUARE] = True
        on_the_right = np.zeros((_SIDE, _SIDE), np.float32)
        on_the_right[:, _LINE:] = 1
        regions = (Region(self.left, "", 1 - on_the_right), Region(self.right, "", on_the_right))
        return filler.fill(self.behind, selected, seed=seed, regions=regions)


def each_on_its_side(
    filler: Filler,
    cutouts: dict[str, Cutout],
    names: tuple[str, str],
    other: str,
    behinds: Sequence[np.ndarray],
    lpips: Lpips,
    seeds: Sequence[int],
    *,
    sheet: Path | None = None,
) -> dict[str, Any]:
    """Paint ``names`` left and right with each seed, and once more with ``other`` on the right.

    A thing is on its side where what is painted there is nearer to its cut-out than to the other thing's, by LPIPS as
    in the test of names. ``changed`` are mean differences, 0..255, that the other prompt made on both sides.
    """
    on_their_sides = left_kept = 0
    changed: dict[str, list[float]] = {"left": [], "right": []}
    rows = []
    for seed in seeds:
        behind = behinds[seed % len(behinds)]
        painted, repainted = (Halves(behind, names[0], one).paint(filler, seed) for one in (names[1], other))
        there = [_nearer(painted, behind, x, cutouts, names, lpips) for x in (_LEFT, _LINE)]
        on_their_sides += there == list(names)
        left_kept += _nearer(repainted, behind, _LEFT, cutouts, (names[0], other), lpips) == names[0]
        difference = np.abs(painted.astype(np.float32) - repainted)
        for side, x in (("left", _LEFT), ("right", _LINE)):
            changed[side].append(float(difference[_square(x)].mean()))
        rows.append(np.concatenate([painted, repainted], 1))
    if sheet is not None:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        columns = [np.concatenate(rows[begin::4]) for begin in range(min(4, len(rows)))]
        tallest = max(map(len, columns))
        filled = [np.pad(one, ((0, tallest - len(one)), (0, 0), (0, 0))) for one in columns]
        Image.fromarray(np.concatenate(filled, 1)).save(sheet)
    return {
        "names": list(names),
        "pictures": len(seeds),
        "each_on_its_side": on_their_sides,
        "left_kept": left_kept,
        "changed": {side: round(float(np.mean(found)), 2) for side, found in changed.items()},
    }


def _square(x: int) -> tuple[slice, slice]:
    return slice(_TOP, _TOP + _SQUARE), slice(x, x + _SQUARE)


@torch.no_grad()
def _nearer(
    painted: np.ndarray, behind: np.ndarray, x: int, cutouts: dict[str, Cutout], names: Sequence[str], lpips: Lpips
) -> str:
    """Which of the things is in the square that begins at column ``x``."""
    middle = (x + _SQUARE / 2, _SIDE / 2)
    expected = [
        compose(step_generator(0, 0), behind, cutouts[name], middle, _SQUARE * share, 0.0, mirrored=0.0).picture
        for name in names
        for share in _SHARES
    ]
    features = lpips.features(to_tensor(painted[_square(x)][None]))
    known = lpips.features(to_tensor(np.stack([one[_square(x)] for one in expected])))
    distances = lpips.between(features, known).view(len(names), len(_SHARES)).amin(1)
    return names[int(distances.argmin())]
