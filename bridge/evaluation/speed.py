"""Seconds of a fill by name, of the first one in a new process, and of a large area of a large photograph."""

import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .filling import Filler
from .held_out import SIDE, Heldout, whole_photograph
from .measures import Timed, timed

__all__ = ["fill_in_a_process", "speed"]

_FILLS = 5
# 24 megapixels, of a photograph laid beside itself so that it keeps its own grain.
_LARGE = (4000, 6000)
_LARGE_SELECTION = (1000, 1500)
_TEXTURED = "lake-sherburne"
_FIRST_FILL = """
import sys
from pathlib import Path
import numpy as np
from bridge.diffusion.device import find_device
from bridge.evaluation.filling import Filler
from bridge.models import inspect
mask = np.zeros(({side}, {side}), bool)
mask[{side} // 4 : 3 * {side} // 4, {side} // 4 : 3 * {side} // 4] = True
grey = np.full(({side}, {side}, 3), 128, np.uint8)
Filler(inspect(Path(sys.argv[1])), find_device()).fill(grey, mask, prompt=sys.argv[2])
"""


def speed(filler: Filler, photographs: list[Heldout], data: Path) -> dict[str, Any]:
    """Seconds by the clock and of processors, on this machine as busy as it is."""
    checkpoint = filler.checkpoint
    prompt = checkpoint.card.known_names[0] if checkpoint.card.known_names else "apple"
    mask = _selected((SIDE, SIDE), (SIDE // 2, SIDE // 2))
    fills = [
        timed(partial(filler.fill, photographs[number % len(photographs)].rgb, mask, prompt=prompt, seed=number))
        for number in range(_FILLS + 1)
    ]
    photograph = whole_photograph(data, _TEXTURED)
    pad = [(0, max(0, wanted - has)) for wanted, has in zip(_LARGE, photograph.shape[:2], strict=True)]
    selected = _selected(_LARGE, _LARGE_SELECTION)
    large = np.pad(photograph, (*pad, (0, 0)), mode="symmetric")[: _LARGE[0], : _LARGE[1]]
    return {
        # The first of them loads the weights.
        "fill": _told(fills[1:]),
        "start_to_first_fill": _told([timed(partial(fill_in_a_process, checkpoint.path, prompt))]),
        "large_removal": _told([timed(partial(filler.fill, large, selected, mode="remove"))]),
    }


def fill_in_a_process(checkpoint: Path, prompt: str) -> None:
    """From nothing loaded to a fill."""
    command = [sys.executable, "-c", _FIRST_FILL.format(side=SIDE), str(checkpoint), prompt]
    subprocess.run(command, check=True, capture_output=True)


def _selected(shape: tuple[int, int], part: tuple[int, int]) -> np.ndarray:
    """The middle of it."""
    mask = np.zeros(shape, bool)
    top, left = ((whole - within) // 2 for whole, within in zip(shape, part, strict=True))
    mask[top : top + part[0], left : left + part[1]] = True
    return mask


def _told(runs: list[Timed[Any]]) -> dict[str, float]:
    return {
        "seconds": round(statistics.median(run.seconds for run in runs), 1),
        "processor_seconds": round(statistics.median(run.processor_seconds for run in runs), 1),
    }
