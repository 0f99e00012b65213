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
from .each_picture import arguments_for, picture_error, picture_error_as_json
from .exits import CliError, Exit
from .progress import JobProgress
from .watch import watch

__all__ = ["run"]


def run(args: argparse.Namespace) -> Exit:
    """Fill. Raises as :func:`.jobs.run`; of several pictures, each that cannot be filled is told of, and the others are
    gone on with.
    """
    if args.watch is not None:
        if args.images:
            raise CliError(
                "Both pictures and a folder to watch are named.", "Name either.", exit_code=Exit.USAGE, code="usage"
            )
        return watch(args)
    if not args.images:
        raise CliError("No picture is named.", "Name one, or several.", exit_code=Exit.USAGE, code="usage")
    if len(args.images) == 1 and not (args.output is not None and os.path.isdir(args.output)):
        return jobs.run(arguments_for(args, args.images[0]))
    return _several(args, args.images)


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
                done = jobs.paint(bridge, arguments_for(args, image, folder=args.output or image.parent), progress)
            except Exception as error:  # noqa: BLE001 - sorted there
                words = picture_error(error)
                worst = worst or words.exit_code
                told.append(picture_error_as_json(image, words))
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
