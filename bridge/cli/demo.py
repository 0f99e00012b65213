"""``paintbridge demo``: the whole way on a photograph that comes along. A bird is removed, then a thing is painted.

Both go through a bridge's websocket exactly as ``paintbridge fill`` does. What is written is then read again, and every
pixel that the layer leaves transparent is compared with the photograph.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ..client import Bridge
from ..protocol.messages import CheckpointInfo, Rect
from .arguments import build_parser
from .connect import connected
from .each_picture import arguments_for
from .exits import CliError, Exit, unwritable
from .jobs import Done, paint
from .pictures import open_picture
from .progress import JobProgress
from .saving import write_picture

__all__ = ["run"]

_PHOTOGRAPH = Path(__file__).resolve().parent.parent / "demo" / "canyon-wren.jpg"
_SEED = 7
# A lasso around the bird, drawn by hand, and an ellipse in the sky.
_BIRD = (
    (652, 448), (668, 420), (696, 370), (702, 320), (722, 272), (764, 246), (822, 246), (870, 240), (906, 236),
    (926, 246), (926, 264), (890, 288), (838, 312), (828, 380), (828, 430), (830, 500), (800, 522), (744, 524),
    (700, 508), (676, 480),
)  # fmt: skip
_SKY = (1290, 150, 1550, 470)
_SOFTNESS = 3.0
_OVERSAMPLING = 4
_LIKED = ("balloon", "red heart", "star", "strawberry")


@dataclass(frozen=True)
class _Fill:
    name: str
    title: str
    draw: Callable[[ImageDraw.ImageDraw, int], None]
    options: tuple[str, ...]


def run(args: argparse.Namespace) -> Exit:
    """Show it, and say where the pictures lie.

    Raises:
        CliError: the folder cannot be written; a pixel changed that must not have.
        BridgeError, ClientError: a fill failed.
    """
    folder: Path = args.output
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    before = folder / "before.png"
    write_picture(open_picture(_PHOTOGRAPH), before)
    print(f"A photograph:  {before}")
    with JobProgress() as progress, connected(progress.say) as bridge:
        checkpoint = bridge.welcome.checkpoints[0] if bridge.welcome.checkpoints else None
        for fill in _fills(checkpoint):
            before = _show(bridge, fill, before, folder, progress)
    if checkpoint is not None and checkpoint.demo:
        print(
            f"\nThe checkpoint is {checkpoint.name}, a small one that comes with Paintbridge for trying out. It knows "
            f"{len(checkpoint.known_names)} things; README.md says how to use a grown-up one."
        )
    return Exit.DONE


def _fills(checkpoint: CheckpointInfo | None) -> list[_Fill]:
    known = checkpoint.known_names if checkpoint else ()
    thing = next((name for name in _LIKED if name in known), known[0] if known else "red balloon")
    return [
        _Fill(
            "1-remove",
            "The bird is removed: no prompt, the surroundings grow together.",
            lambda pen, scale: pen.polygon([(x * scale, y * scale) for x, y in _BIRD], fill=255),
            ("--mode", "remove"),
        ),
        _Fill(
            "2-paint",
            f"A thing is painted into the sky: prompt {thing!r}.",
            lambda pen, scale: pen.ellipse([value * scale for value in _SKY], fill=255),
            ("--mode", "add", "--prompt", thing),
        ),
    ]


def _show(bridge: Bridge, fill: _Fill, before: Path, folder: Path, progress: JobProgress) -> Path:
    selection, result, layer = (folder / f"{fill.name}-{part}.png" for part in ("selection", "result", "layer"))
    source = open_picture(before)
    _write_mask(selection, source.width, source.height, fill.draw)
    command = ["fill", str(before), "--mask", str(selection), *fill.options, "--seed", str(_SEED)]
    command += ["-o", str(result), "--layer", str(layer)]
    done = paint(bridge, arguments_for(build_parser().parse_args(command), before), progress)
    untouched = _check(before, result, layer)
    lines = ["", fill.title, f"  selection    {selection}", f"  result       {result}", f"  layer        {layer}"]
    lines.append("  " + _timings(done))
    lines.append(f"  {untouched:.1%} of the picture lies outside the layer, and is identical there, pixel by pixel.")
    lines += [f"  Note: {hint}" for hint in done.hints]
    print("\n".join(lines))
    return result


def _timings(done: Done) -> str:
    total = sum(done.timings.values())
    return f"{total:.1f} s: " + ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in done.timings.items())


def _write_mask(path: Path, width: int, height: int, draw: Callable[[ImageDraw.ImageDraw, int], None]) -> None:
    large = Image.new("L", (width * _OVERSAMPLING, height * _OVERSAMPLING))
    draw(ImageDraw.Draw(large), _OVERSAMPLING)
    hard = np.asarray(large.resize((width, height), Image.Resampling.BOX))
    soft = pyvips.Image.new_from_array(hard).gaussblur(_SOFTNESS, min_ampl=0.01)
    soft.copy(interpretation="b-w").pngsave(str(path))


def _check(before: Path, after: Path, layer: Path) -> float:
    """The part of the picture that the layer leaves alone.

    Raises:
        CliError: it did not leave it alone, or there is nothing in it.
    """
    old, new, painted = (_all_of(path) for path in (before, after, layer))
    untouched: NDArray[np.bool_] = painted[:, :, -1] == 0
    if untouched.all():
        raise CliError("The layer is empty.", "Please report this.", exit_code=Exit.FAILED, code="internal")
    if not np.array_equal(old[untouched], new[untouched]):
        raise CliError("A pixel outside the layer has changed.", "Please report this.", exit_code=Exit.FAILED)
    return float(untouched.mean())


def _all_of(path: Path) -> NDArray[np.uint8]:
    picture = open_picture(path)
    return picture.read(Rect(0, 0, picture.width, picture.height))
