"""Seconds that an artist waits: for a fill by name, for the first one, for a large area of a large photograph."""

import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from .filling import Filler
from .held_out import SIDE, Heldout, whole_photograph

__all__ = ["speed"]

_FILLS = 5
# 24 megapixels, of a photograph laid beside itself so that it keeps its own grain.
_LARGE = (4000, 6000)
_LARGE_SELECTION = (1000, 1500)
_TEXTURED = "lake-sherburne"
_FIRST_FILL = """
import sys
import numpy as np
from bridge.diffusion.device import find_device
from bridge.evaluation.filling import Filler
from bridge.models import inspect
mask = np.zeros(({side}, {side}), bool)
mask[{side} // 4 : 3 * {side} // 4, {side} // 4 : 3 * {side} // 4] = True
Filler(inspect(sys.argv[1]), find_device()).fill(np.full(({side}, {side}, 3), 128, np.uint8), mask, prompt=sys.argv[2])
"""


def speed(filler: Filler, photographs: list[Heldout], data: Path) -> dict[str, Any]:
    """Seconds by the clock, on this machine as busy as it is."""
    checkpoint = filler.checkpoint
    prompt = checkpoint.card.known_names[0] if checkpoint.card.known_names else "apple"
    mask = np.zeros((SIDE, SIDE), bool)
    mask[SIDE // 4 : 3 * SIDE // 4, SIDE // 4 : 3 * SIDE // 4] = True
    fills = []
    for number in range(_FILLS + 1):
        began = time.perf_counter()
        filler.fill(photographs[number % len(photographs)].rgb, mask, prompt=prompt, seed=number)
        fills.append(time.perf_counter() - began)
    began = time.perf_counter()
    first = [sys.executable, "-c", _FIRST_FILL.format(side=SIDE), str(checkpoint.path), prompt]
    subprocess.run(first, check=True, capture_output=True)
    first_fill = time.perf_counter() - began
    photograph = whole_photograph(data, _TEXTURED)
    pad = [(0, max(0, wanted - has)) for wanted, has in zip(_LARGE, photograph.shape[:2], strict=True)]
    large = np.pad(photograph, (*pad, (0, 0)), mode="symmetric")[: _LARGE[0], : _LARGE[1]]
    selected = np.zeros(_LARGE, bool)
    top, left = ((whole - part) // 2 for whole, part in zip(_LARGE, _LARGE_SELECTION, strict=True))
    selected[top : top + _LARGE_SELECTION[0], left : left + _LARGE_SELECTION[1]] = True
    began = time.perf_counter()
    filler.fill(large, selected, mode="remove")
    return {
        # The first of them loads the weights.
        "fill": round(statistics.median(fills[1:]), 1),
        "start_to_first_fill": round(first_fill, 1),
        "large_removal": round(time.perf_counter() - began, 1),
    }
