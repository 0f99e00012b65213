"""``paintbridge fill | refine | generate | upscale``: a picture, a selection, a job at the bridge, and pictures out."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..client import Bridge, Job, JobCancelled, JobResult, ResultLayer
from ..protocol.messages import ContextChoice, ContextKind, Depth, Extent, OnDisconnect, Rect, ResultFormat
from .connect import connected
from .exchange import composited, from_wire, in_the_pictures_terms, layer_patch, sendable, to_wire, wire_depth
from .exits import CliError, Exit
from .guiding import open_condition, open_region
from .job_flags import job_values
from .masks import Selection, mask_selection, rect_selection
from .pictures import PictureFile, open_picture
from .progress import JobProgress
from .saving import Shape, check_output, losses, rescue, write_alike, write_layer, write_picture

__all__ = ["Done", "layer_pixels", "paint", "run", "tell", "wait_for"]

_LOOK_SECONDS = 0.25
_CANCEL_SECONDS = 60.0


@dataclass(frozen=True)
class Done:
    """What a job has made: a map for each picture of the batch, as ``--json`` prints it."""

    outputs: list[dict[str, Any]]
    reach: int
    timings: dict[str, float]
    hints: list[str]


def run(args: argparse.Namespace) -> Exit:
    """Do the job and say what was made.

    Raises:
        CliError, BridgeError, ClientError: as ``docs/cli.md`` lists them.
        KeyboardInterrupt: after the job was cancelled at the bridge.
    """
    job = _Files(args)
    with JobProgress() as progress, connected(progress.say) as bridge:
        done = job.paint(bridge, progress)
    if args.json:
        print(json.dumps(asdict(done), indent=2))
    else:
        tell(done)
    return Exit.DONE


def tell(done: Done) -> None:
    """Say what was made, a line for each picture, and what the user should know on standard error."""
    for hint in done.hints:
        print(f"Note: {hint}", file=sys.stderr)
    for output in done.outputs:
        layer = f", layer {output['layer']}" if "layer" in output else ""
        print(f"{output['picture']}{layer} (seed {output['seed']})", flush=True)


def paint(bridge: Bridge, args: argparse.Namespace, progress: JobProgress) -> Done:
    """The same over a connection that is open already. Raises as :func:`run`."""
    return _Files(args).paint(bridge, progress)


class _Files:
    """The files of one job, looked at before a bridge is asked for anything."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.batch = args.batch or 1
        self.source = None if args.command == "generate" else open_picture(args.image)
        source = self.source
        self.selection = None if source is None else _selection(args, source)
        self.output = args.output or args.image.with_stem(f"{args.image.stem}-{args.scale}x")
        # What has no layer of its own.
        self.layer = getattr(args, "layer", None)
        hints = self._check_outputs()
        hints += self.selection.hints if self.selection else ()
        size = args.size if source is None else (source.width, source.height)
        self.conditions = [open_condition(said, *size) for said in args.conditions]
        self.regions = [open_region(said, *size) for said in args.regions]
        if source is not None and source.space.clamps:
            hints.append("The colour profile is made of tables: colours outside sRGB were cut off in the context.")
        self.hints = hints

    def _check_outputs(self) -> list[str]:
        """See that all that is to be written can be. Returns what the user should know of it."""
        args, source = self.args, self.source
        shape = Shape(*args.size) if source is None else Shape.of(source)
        if args.command == "upscale" and self.selection is not None:
            bounds = self.selection.bounds
            shape = replace(shape, width=bounds.width, height=bounds.height)
        if args.command == "upscale":
            shape = replace(shape, width=args.scale * shape.width, height=args.scale * shape.height)
        hints: list[str] = []
        for index in range(1, self.batch + 1):
            hints += check_output(self._numbered(self.output, index), shape)
            if self.layer is not None:
                if self.layer.absolute() == self.output.absolute():
                    raise CliError("Picture and layer would be written to the same file.", "Name two.")
                hints += check_output(self._numbered(self.layer, index), replace(shape, alpha=True))
        if source is not None:
            hints += losses(source, self.output, moved=args.command == "upscale")
        return list(dict.fromkeys(hints))

    def paint(self, bridge: Bridge, progress: JobProgress) -> Done:
        progress.say("Reading")
        result = wait_for(self._submit(bridge, progress))
        progress.say("Writing")
        return Done(self._write_all(result), result.reach, dict(result.timings), [*self.hints, *result.hints])

    def _submit(self, bridge: Bridge, progress: JobProgress) -> Job:
        args, source, selection = self.args, self.source, self.selection
        settings = job_values(args)
        canvas = Extent(*args.size) if source is None else Extent(source.width, source.height)
        # Of a rectangle that is enlarged just that is looked at, and all of it comes back.
        whole = args.command == "upscale"
        context = bridge.plan(
            canvas=canvas,
            selection=selection.bounds if selection else None,
            context=ContextChoice(ContextKind.SELECTION) if whole else _context(getattr(args, "context", "auto")),
            **settings,
        ).context
        depth = Depth.U8 if source is None else Depth(wire_depth(source))
        return bridge.submit(
            canvas=canvas,
            context=context,
            picture=None if source is None else sendable(to_wire(source, context)),
            selection=None if selection is None or whole else sendable(selection.read(context)),
            conditions=[condition.read(context) for condition in self.conditions],
            regions=[region.read(context) for region in self.regions],
            result=ResultFormat(depth, previews=False),
            on_disconnect=OnDisconnect.CANCEL,
            on_event=progress.show,
            **settings,
        )

    def _write_all(self, result: JobResult) -> list[dict[str, Any]]:
        """Write every picture, or see that none that cannot be written is lost.

        Raises:
            CliError: some could not be written; it says where their layers are kept.
        """
        outputs, kept = [], []
        failed: CliError | None = None
        for index, layer in enumerate(result.layers, 1):
            pixels = layer_pixels(layer)
            try:
                outputs.append(self._write(layer, pixels, index))
            except CliError as error:
                failed = failed or error
                place = rescue(pixels, f"layer-{index}")
                if place is not None:
                    kept.append(
                        f"{place} (its corner at {layer.x}, {layer.y}; seed {layer.recipe.settings.sampling.seed})"
                    )
        if failed is not None:
            words = f"What was painted is kept, as a layer: {', '.join(kept)}." if kept else ""
            raise CliError(
                failed.message, f"{failed.hint} {words}".strip(), exit_code=failed.exit_code, code=failed.code
            ) from failed
        return outputs

    def _write(self, layer: ResultLayer, pixels: NDArray[Any], index: int) -> dict[str, Any]:
        picture, source = layer.picture, self.source
        path = self._numbered(self.output, index)
        written: dict[str, Any] = {"picture": str(path)}
        if source is None:
            # A generated picture covers its canvas: there is nothing below it to be seen.
            write_picture(np.ascontiguousarray(pixels[:, :, :3]), path)
        elif self.args.command == "upscale":
            write_alike(source, path, in_the_pictures_terms(source, pixels, picture.depth))
        else:
            write_picture(source, path, composited(source, layer.x, layer.y, pixels, picture.depth))
            if self.layer is not None:
                layer_path = self._numbered(self.layer, index)
                write_layer(source, layer_path, layer_patch(source, layer.x, layer.y, pixels, picture.depth))
                written["layer"] = str(layer_path)
        return {
            **written,
            "x": layer.x,
            "y": layer.y,
            "width": picture.width,
            "height": picture.height,
            "seed": layer.recipe.settings.sampling.seed,
            "recipe": asdict(layer.recipe),
        }

    def _numbered(self, path: Path, index: int) -> Path:
        return path if self.batch == 1 else path.with_stem(f"{path.stem}-{index}")


def layer_pixels(layer: ResultLayer) -> NDArray[Any]:
    """The pixels of a layer that came raw, (h, w, channels) in its own depth."""
    picture = layer.picture
    size = {"width": picture.width, "height": picture.height}
    return from_wire(layer.data, **size, channels=picture.channels, depth=picture.depth)


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
    if getattr(args, "mask", None) is not None:
        return mask_selection(args.mask, source)
    return None if args.rect is None else rect_selection(args.rect, source)


def _context(choice: str | Rect) -> ContextChoice:
    return ContextChoice(ContextKind(choice)) if isinstance(choice, str) else ContextChoice(ContextKind.RECT, choice)
