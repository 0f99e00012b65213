"""``paintbridge estimate``: a map of a picture, in a file, for use as a condition."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..client import JobResult
from ..control_kinds import CONTROL_KINDS, PictureReading
from ..protocol.messages import ContextChoice, ContextKind, Depth, Extent, OnDisconnect, ResultFormat
from .connect import connected
from .exchange import from_wire, sendable, to_wire
from .exits import Exit
from .job_flags import job_values
from .jobs import wait_for
from .masks import rect_selection
from .pictures import PictureFile, open_picture
from .progress import JobProgress
from .saving import Shape, check_output, write_picture

__all__ = ["run"]

# What a file with more than 8 bits can be.
_DEEP = (".png", ".tif", ".tiff")


def run(args: argparse.Namespace) -> Exit:
    """Make the map and say what was made.

    Raises:
        CliError, BridgeError, ClientError: as ``docs/cli.md`` lists them.
        KeyboardInterrupt: after the job was cancelled at the bridge.
    """
    source = open_picture(args.image)
    selection = None if args.rect is None else rect_selection(args.rect, source)
    area = Extent(source.width, source.height) if selection is None else selection.bounds
    deep = source.depth != "u8" and args.output.suffix.lower() in _DEEP
    hints = [*check_output(args.output, Shape(area.width, area.height, "u16" if deep else "u8"))]
    hints += selection.hints if selection is not None else ()
    with JobProgress() as progress, connected(progress.say) as bridge:
        progress.say("Reading")
        settings = {**job_values(args), "control_kind": args.control_kind}
        canvas = Extent(source.width, source.height)
        bounds = None if selection is None else selection.bounds
        choice = ContextChoice(ContextKind.SELECTION)
        context = bridge.plan(canvas=canvas, selection=bounds, context=choice, **settings).context
        job = bridge.submit(
            canvas=canvas,
            context=context,
            picture=sendable(to_wire(source, context)),
            result=ResultFormat(Depth.U16 if deep else Depth.U8, previews=False),
            on_disconnect=OnDisconnect.CANCEL,
            on_event=progress.show,
            **settings,
        )
        result = wait_for(job)
        progress.say("Writing")
        written = _write(result, args.output, args.control_kind)
    _tell(args, written, source, [*hints, *result.hints])
    return Exit.DONE


def _write(result: JobResult, path: Path, kind: str) -> dict[str, Any]:
    """Write the map, opaque: lines white on black, as networks and other programs know them."""
    (layer,) = result.layers
    picture = layer.picture
    pixels = from_wire(
        layer.data, width=picture.width, height=picture.height, channels=picture.channels, depth=picture.depth
    )
    write_picture(_opaque(pixels, kind), path)
    return {
        "picture": str(path),
        "x": layer.x,
        "y": layer.y,
        "width": picture.width,
        "height": picture.height,
        "recipe": asdict(layer.recipe),
        "people": [asdict(person) for person in layer.people],
        "timings": dict(result.timings),
    }


def _opaque(pixels: NDArray[Any], kind: str) -> NDArray[Any]:
    """(h, w, 3) of (h, w, 4), on black."""
    alpha = pixels[..., 3:]
    if CONTROL_KINDS[kind].reading is PictureReading.DRAWN_LINES:
        return np.ascontiguousarray(np.repeat(alpha, 3, axis=2))
    share = alpha.astype(np.float32) / np.iinfo(pixels.dtype).max
    return np.ascontiguousarray(np.rint(pixels[..., :3] * share).astype(pixels.dtype))


def _tell(args: argparse.Namespace, written: dict[str, Any], source: PictureFile, hints: list[str]) -> None:
    if args.json:
        print(json.dumps({**written, "image": str(source.path), "hints": hints}, indent=2))
        return
    for hint in hints:
        print(f"Note: {hint}", file=sys.stderr)
    print(written["picture"], flush=True)
