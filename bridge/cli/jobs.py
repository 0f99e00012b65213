"""``paintbridge fill | refine | generate``: a picture and a selection in, a job at the bridge, pictures out."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..client import Bridge, Job, JobCancelled, JobResult, Pixels, ResultLayer
from ..protocol.messages import ContextChoice, Extent, Rect, ResultFormat
from .arguments import CONTEXTS
from .connect import connected
from .exchange import composited, from_wire, layer_patch, to_wire, wire_depth
from .exits import CliError, Exit
from .masks import Selection, mask_selection, rect_selection
from .pictures import PictureFile, check_output, open_picture, write_layer, write_picture
from .progress import JobProgress

__all__ = ["run", "wait_for"]

_LOOK_SECONDS = 0.25
_CANCEL_SECONDS = 60.0


def run(args: argparse.Namespace) -> Exit:
    """Do the job and say what was made.

    Raises:
        CliError, BridgeError, ClientError: as ``docs/cli.md`` lists them.
        KeyboardInterrupt: after the job was cancelled at the bridge.
    """
    batch = args.batch or 1
    source = None if args.command == "generate" else open_picture(args.image)
    selection = None if source is None else _selection(args, source)
    depth, alpha = ("u8", False) if source is None else (source.depth, source.alpha)
    hints = list(check_output(args.output, depth=depth, alpha=alpha))
    if source is not None and args.layer is not None:
        if args.layer.absolute() == args.output.absolute():
            raise CliError("Picture and layer would be written to the same file.", "Name two.")
        hints += check_output(args.layer, depth=depth, alpha=True)
    hints += selection.hints if selection else ()
    if source is not None and source.space.clamps:
        hints.append("The colour profile is made of tables: colours outside sRGB were cut off in the context.")

    with JobProgress() as progress, connected(progress.say) as bridge:
        progress.say("Reading")
        result = _paint(bridge, args, source, selection, progress)
        progress.say("Writing")
        outputs = [
            _write(args, source, layer, _numbered(args.output, index, batch), index, batch)
            for index, layer in enumerate(result.layers, 1)
        ]
    _report(args, outputs, result, [*hints, *result.hints])
    return Exit.DONE


def wait_for(job: Job) -> JobResult:
    """Wait for a job; on an interrupt, cancel it and see it end.

    Raises:
        BridgeError, ClientError: it failed.
        KeyboardInterrupt
    """
    try:
        while True:
            # In small pieces: Windows lets no interrupt through while a lock is waited for.
            try:
                return job.result(timeout=_LOOK_SECONDS)
            except TimeoutError:
                continue
    except KeyboardInterrupt:
        job.cancel()
        with contextlib.suppress(JobCancelled, TimeoutError):
            job.result(timeout=_CANCEL_SECONDS)
        raise


def _selection(args: argparse.Namespace, source: PictureFile) -> Selection | None:
    if args.mask is not None:
        return mask_selection(args.mask, source)
    return None if args.rect is None else rect_selection(args.rect, source)


def _paint(
    bridge: Bridge,
    args: argparse.Namespace,
    source: PictureFile | None,
    selection: Selection | None,
    progress: JobProgress,
) -> JobResult:
    common: dict[str, Any] = {"kind": args.command, "checkpoint": args.checkpoint}
    if source is None:
        canvas = Extent(*args.size)
    else:
        canvas = Extent(source.width, source.height)
        common |= {"mode": getattr(args, "mode", "auto"), "grow": args.grow, "feather": args.feather}
    planned = bridge.plan(
        canvas=canvas,
        selection=selection.bounds if selection else None,
        context=_context(getattr(args, "context", "auto")),
        **common,
    )
    context = planned.context
    pictures: dict[str, Any] = {}
    if source is not None:
        pictures["picture"] = _pixels(to_wire(source, context))
        pictures["result"] = ResultFormat(wire_depth(source))
        common |= {"mode": planned.mode, "strict": args.strict}
        common |= {"strength": args.strength} if args.strength is not None else {}
    if selection is not None:
        pictures["selection"] = _pixels(selection.read(context))
    job = bridge.submit(
        canvas=canvas,
        context=context,
        prompt=args.prompt,
        negative_prompt=args.negative,
        seed=args.seed,
        batch=args.batch or 1,
        steps=args.steps,
        guidance=args.guidance,
        sampler=args.sampler,
        previews=False,
        on_disconnect="cancel",
        on_event=progress.show,
        **common,
        **pictures,
    )
    return wait_for(job)


def _pixels(wire: Any) -> Pixels:
    height, width, channels = wire.pixels.shape
    return Pixels(wire.data, width, height, channels, wire.depth)


def _context(choice: str | Rect) -> ContextChoice:
    return ContextChoice(choice) if choice in CONTEXTS else ContextChoice("rect", choice)  # type: ignore[arg-type]


def _numbered(path: Path, index: int, batch: int) -> Path:
    return path if batch == 1 else path.with_stem(f"{path.stem}-{index}")


def _write(
    args: argparse.Namespace, source: PictureFile | None, layer: ResultLayer, path: Path, index: int, batch: int
) -> dict[str, Any]:
    picture = layer.picture
    pixels = from_wire(
        layer.data, width=picture.width, height=picture.height, channels=picture.channels, depth=picture.depth
    )
    written: dict[str, Any] = {"picture": str(path)}
    if source is None:
        # A generated picture covers its canvas: there is nothing below it to be seen.
        write_picture(np.ascontiguousarray(pixels[:, :, :3]), path)
    else:
        write_picture(source, path, composited(source, layer.x, layer.y, pixels, picture.depth))
        if args.layer is not None:
            layer_path = _numbered(args.layer, index, batch)
            write_layer(source, layer_path, layer_patch(source, layer.x, layer.y, pixels, picture.depth))
            written["layer"] = str(layer_path)
    place = {"x": layer.x, "y": layer.y, "width": picture.width, "height": picture.height}
    return {**written, **place, "seed": layer.recipe.seed, "recipe": asdict(layer.recipe)}


def _report(args: argparse.Namespace, outputs: list[dict[str, Any]], result: JobResult, hints: list[str]) -> None:
    if args.json:
        done = {"outputs": outputs, "reach": result.reach, "timings": dict(result.timings), "hints": hints}
        print(json.dumps(done, indent=2))
        return
    for hint in hints:
        print(f"Note: {hint}", file=sys.stderr)
    for output in outputs:
        layer = f", layer {output['layer']}" if "layer" in output else ""
        print(f"{output['picture']}{layer} (seed {output['seed']})")
