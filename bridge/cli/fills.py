"""``paintbridge fill``: one picture, several, or those that appear in a folder."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import jobs
from .connect import connected
from .exits import CliError, Exit
from .failures import as_cli_error
from .filenames import existing
from .pictures import open_picture
from .progress import JobProgress

__all__ = ["of_picture", "own_mask", "run", "told_error", "word_of_error"]


def run(args: argparse.Namespace) -> Exit:
    """Fill. Raises as :func:`.jobs.run`; of several pictures, each that cannot be filled is told of, and the others are
    gone on with.
    """
    if args.watch is not None:
        if args.images:
            raise CliError(
                "Both pictures and a folder to watch are named.", "Name either.", exit_code=Exit.USAGE, code="usage"
            )
        from .watch import watch

        return watch(args)
    if not args.images:
        raise CliError("No picture is named.", "Name one, or several.", exit_code=Exit.USAGE, code="usage")
    if len(args.images) == 1 and not (args.output is not None and os.path.isdir(args.output)):
        return jobs.run(of_picture(args, args.images[0]))
    return _several(args, args.images)


def of_picture(args: argparse.Namespace, image: Path, *, folder: Path | None = None) -> argparse.Namespace:
    """The arguments for one of the pictures.

    Args:
        folder: where its output goes, named after it; None: ``--output`` says, or else it goes beside the picture.

    Raises:
        CliError: the picture cannot be read.
    """
    image = existing(image)
    values = {**vars(args), "image": image}
    if folder is not None or args.output is None:
        ending = ".tiff" if open_picture(image).depth == "f32" else ".png"
        values["output"] = (folder or image.parent) / f"{image.stem}.fill{ending}"
        if args.layer is not None and folder is not None:
            values["layer"] = args.layer / f"{image.stem}.layer{ending}"
    if args.own_mask or args.watch is not None:
        values["mask"] = own_mask(image)
    return argparse.Namespace(**values)


def own_mask(image: Path) -> Path:
    """The mask that belongs to a picture by its name."""
    return existing(image.with_name(f"{image.stem}.mask.png"))


def told_error(error: Exception) -> CliError:
    """An error that is one picture's; the others may still be filled. Raises any other."""
    words = as_cli_error(error)
    if words is None or words.exit_code == Exit.NO_BRIDGE:
        raise error
    return words


def word_of_error(image: Path, error: CliError) -> dict[str, Any]:
    """A picture's error as ``--json`` prints it."""
    told = {"code": error.code, "message": error.message, "hint": error.hint}
    return {"image": str(image), "error": told, "exit_code": int(error.exit_code)}


def _several(args: argparse.Namespace, images: Sequence[Path]) -> Exit:
    for folder in (args.output, args.layer):
        if folder is not None and not os.path.isdir(folder):
            raise CliError(
                f"There is no folder {folder}, in which the pictures would be put.", "Create it, or choose another."
            )
    _check_names(args, images)
    told: list[dict[str, Any]] = []
    worst = Exit.DONE
    with JobProgress() as progress, connected(progress.say) as bridge:
        for image in images:
            try:
                done = jobs.paint(bridge, of_picture(args, image, folder=args.output or image.parent), progress)
            except Exception as error:  # noqa: BLE001 - sorted there
                words = told_error(error)
                worst = worst or words.exit_code
                told.append(word_of_error(image, words))
                print(f"paintbridge: {image}: {words.message}\n  {words.hint}", file=sys.stderr)
            else:
                told.append({"image": str(image), **asdict(done)})
                if not args.json:
                    jobs.tell(done)
    if args.json:
        print(json.dumps({"pictures": told}, indent=2))
    return worst


def _check_names(args: argparse.Namespace, images: Sequence[Path]) -> None:
    """See that no two outputs would be the same file."""
    seen: dict[Path, Path] = {}
    for image in images:
        target = ((args.output or image.parent) / image.stem).absolute()
        if target in seen:
            raise CliError(
                f"{seen[target]} and {image} would be written to the same file.", "Name them apart, or fill one by one."
            )
        seen[target] = image
