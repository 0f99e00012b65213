"""Whether what a checkpoint paints by name looks like the thing: every name, into held-out photographs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..training.autoencoder import to_tensor
from ..training.compose import compose, step_generator
from ..training.lpips import Lpips
from ..training.mini_dataset import Cutout
from .filling import Filler
from .held_out import Heldout

__all__ = ["naming", "ranks_of"]

SEEDS = (1, 2, 3, 4)
# The photographs are reduced to what the checkpoint sees around a selection of half that side, in their middle.
_SIDE = 256
_SELECTED = _SIDE // 2
_SHARES = (0.75, 0.9, 1.05)
_SHOWN = 80
_COLUMNS = 12


def naming(
    filler: Filler,
    cutouts: dict[str, Cutout],
    photographs: list[Heldout],
    lpips: Lpips,
    *,
    say: Callable[[str], None],
    sheet: Path | None = None,
) -> dict[str, Any]:
    """Paint each thing of ``cutouts`` by its name with four seeds, and rank all of them by LPIPS to what was painted.

    A thing's distance is that of its cut-out, laid over the same photograph at some sizes, the nearest of these.
    """
    names = list(cutouts)
    square = (slice((_SIDE - _SELECTED) // 2, (_SIDE + _SELECTED) // 2),) * 2
    mask = np.zeros((_SIDE, _SIDE), bool)
    mask[square] = True
    behinds = [_reduced(photograph.rgb, _SIDE) for photograph in photographs]
    expected: dict[int, list[Tensor]] = {}
    ranks: dict[str, list[int]] = {name: [] for name in names}
    shown = []
    for number, name in enumerate(names):
        for seed in SEEDS:
            place = (number * len(SEEDS) + seed) % len(photographs)
            behind = behinds[place]
            if place not in expected:
                over = [picture for each in names for picture in _things_over(behind, cutouts[each], square)]
                expected[place] = _features(lpips, over)
            painted = filler.fill(behind, mask, prompt=name, seed=seed)
            shown.append(Image.fromarray(_reduced(painted, _SHOWN)))
            distances = lpips.between(_features(lpips, [painted[square]]), expected[place])
            nearest = distances.view(len(names), len(_SHARES)).amin(1)
            ranks[name].append(ranks_of(nearest.tolist())[number])
        say(f"{name}: its own cut-out is nearest number {', '.join(map(str, ranks[name]))}")
    if sheet is not None:
        _save_sheet(shown, sheet)
    found = [rank for each in ranks.values() for rank in each]
    return {
        "names": len(names),
        "pictures": len(found),
        "nearest": _share(found, 1),
        "among_nearest_5": _share(found, 5),
        "ranks": ranks,
    }


def ranks_of(distances: list[float]) -> list[int]:
    """The place of each distance among all, 1 for the least."""
    order = sorted(range(len(distances)), key=distances.__getitem__)
    return [order.index(index) + 1 for index in range(len(distances))]


def _share(ranks: list[int], most: int) -> float:
    return round(sum(rank <= most for rank in ranks) / len(ranks), 3)


def _things_over(behind: np.ndarray, cutout: Cutout, square: tuple[slice, slice]) -> list[np.ndarray]:
    """The selected part of a photograph with the thing in it, at each of the sizes."""
    middle = (_SIDE / 2, _SIDE / 2)
    return [
        compose(step_generator(0, 0), behind, cutout, middle, _SELECTED * share, 0.0, mirrored=0.0).picture[square]
        for share in _SHARES
    ]


def _reduced(rgb: np.ndarray, side: int) -> np.ndarray:
    return np.array(Image.fromarray(rgb).resize((side, side), Image.Resampling.LANCZOS))


@torch.no_grad()
def _features(lpips: Lpips, pictures: list[np.ndarray]) -> list[Tensor]:
    return lpips.features(to_tensor(np.stack(pictures)))


def _save_sheet(pictures: list[Image.Image], path: Path) -> None:
    """Row by row, the four seeds of a name beside one another."""
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _SHOWN, rows * _SHOWN))
    for number, picture in enumerate(pictures):
        sheet.paste(picture, (number % _COLUMNS * _SHOWN, number // _COLUMNS * _SHOWN))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)
