"""What ``paintbridge fill`` needs for each of several pictures: its arguments, and its error."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .exits import CliError, Exit
from .failures import as_cli_error
from .filenames import existing
from .pictures import open_picture

__all__ = ["arguments_for", "own_mask", "picture_error", "picture_error_as_json"]


def arguments_for(args: argparse.Namespace, image: Path, *, folder: Path | None = None) -> argparse.Namespace:
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


def picture_error(error: Exception) -> CliError:
    """The error of one picture, after which the others can still be filled. Any other error is raised again."""
    found = as_cli_error(error)
    if found is None or found.exit_code == Exit.NO_BRIDGE:
        raise error
    return found


def picture_error_as_json(image: Path, error: CliError) -> dict[str, Any]:
    """A picture's error as ``--json`` prints it."""
    described = {"code": error.code, "message": error.message, "hint": error.hint}
    return {"image": str(image), "error": described, "exit_code": int(error.exit_code)}
