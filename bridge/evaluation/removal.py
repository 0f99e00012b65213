"""Removal in held-out photographs, mode remove, empty prompt, beside other inpainting methods."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..training.lpips import Lpips
from .filling import Filler
from .held_out import MASKS, Heldout, draw_mask
from .measures import likeness, seam_ratio, timed
from .methods import InpaintMethod, other_methods

__all__ = ["OURS", "OURS_EXACT", "methods", "removal"]

OURS = "Paintbridge, as hosts ask"
OURS_EXACT = "Paintbridge, the mask alone"


@dataclass(frozen=True)
class _Run:
    whole: float
    box: float
    seam: float
    seconds: float
    processor_seconds: float


def methods(filler: Filler) -> dict[str, InpaintMethod]:
    """Paintbridge and the others by name. What the others change outside the mask is undone."""

    def within(fill: InpaintMethod) -> InpaintMethod:
        return lambda rgb, mask: np.where(mask[..., None], fill(rgb, mask), rgb)

    return {
        OURS: lambda rgb, mask: filler.fill(rgb, mask, mode="remove"),
        OURS_EXACT: lambda rgb, mask: filler.fill(rgb, mask, mode="remove", exact=True),
        **{name: within(fill) for name, fill in other_methods().items()},
    }


def removal(
    fills: dict[str, InpaintMethod],
    photographs: list[Heldout],
    lpips: Lpips,
    *,
    say: Callable[[str], None],
    sheet: Path | None = None,
) -> dict[str, dict[str, Any]]:
    """Figures by method: means over all masks, and the worst; seconds are medians. Methods alternate at each mask.

    The photographs' own seam ratio stands there as "untouched".
    """
    runs: dict[str, list[_Run]] = {name: [] for name in fills}
    untouched = []
    rows = []
    for number, photograph in enumerate(photographs):
        for kind in MASKS:
            mask = draw_mask(kind, number)
            untouched.append(seam_ratio(photograph.rgb, mask))
            row = [np.where(mask[..., None], np.array([255, 0, 255], np.uint8), photograph.rgb)]
            for name, fill in fills.items():
                made = timed(partial(fill, photograph.rgb, mask))
                found = likeness(lpips, made.value, photograph.rgb, mask)
                seam = seam_ratio(made.value, mask)
                runs[name].append(_Run(found.whole, found.box, seam, made.seconds, made.processor_seconds))
                row.append(made.value)
            rows.append(row)
        told = ", ".join(f"{name} {_mean(run.whole for run in found):.4f}" for name, found in runs.items())
        say(f"{number + 1} of {len(photographs)} photographs; LPIPS so far: {told}")
    if sheet is not None:
        _save_sheet(rows, sheet)
    figures: dict[str, dict[str, Any]] = {
        name: {
            "lpips": round(_mean(run.whole for run in found), 4),
            "lpips_worst": round(max(run.whole for run in found), 4),
            "lpips_in_box": round(_mean(run.box for run in found), 4),
            "lpips_in_box_worst": round(max(run.box for run in found), 4),
            "seam_ratio": round(_mean(run.seam for run in found), 3),
            "seam_ratio_worst": round(max(run.seam for run in found), 3),
            "seconds": round(statistics.median(run.seconds for run in found), 2),
            "processor_seconds": round(statistics.median(run.processor_seconds for run in found), 2),
        }
        for name, found in runs.items()
    }
    return {**figures, "untouched": {"seam_ratio": round(_mean(untouched), 3)}}


def _mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def _save_sheet(rows: list[list[np.ndarray]], path: Path) -> None:
    """A row for each mask: the masked photograph, then each method's picture, at a third of their size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([np.concatenate([one[1::3, 1::3] for one in row], 1) for row in rows])).save(path)
