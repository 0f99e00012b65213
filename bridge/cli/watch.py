"""``paintbridge fill --watch FOLDER``: for editors that can do no more than save files.

A picture NAME.png (or .tif, .jpg, .webp) and NAME.mask.png appear, and NAME.fill.png is written, whole or not at all;
NAME.fill.txt says why where that could not be done. Saving either of them again fills again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from ..client import Bridge
from . import jobs
from .connect import connected
from .each_picture import arguments_for, picture_error, picture_error_as_json
from .exits import CliError, Exit
from .filenames import normal
from .progress import JobProgress
from .saving import EXTENSIONS

__all__ = ["watch"]

_LOOK_SECONDS = 0.5
_MASK = ".mask.png"

# Of picture and mask: size and time of change.
Look = tuple[tuple[int, int], tuple[int, int]]


def watch(args: argparse.Namespace) -> Exit:
    """Fill what appears, until Ctrl-C.

    Raises:
        CliError: there is no such folder.
        ClientError, BridgeError: the bridge is gone for good.
    """
    folder, target = args.watch, args.output or args.watch
    for place in (folder, target, args.layer):
        if place is not None and not place.is_dir():
            raise CliError(f"There is no folder {place}.", "Create it, or name another.")
    with JobProgress() as progress, connected(progress.say) as bridge, contextlib.suppress(KeyboardInterrupt):
        print(f"Watching {folder}; Ctrl-C ends it.", file=sys.stderr)
        done = {picture: look for picture, look in _pairs(folder) if _is_filled(picture, look, target)}
        seen: dict[Path, Look] = {}
        while True:
            progress.say(f"Watching {folder}")
            before, seen = seen, dict(_pairs(folder))
            for picture, look in seen.items():
                # What is still being written has changed since the last look, or changes before the next.
                if before.get(picture) == look and done.get(picture) != look:
                    done[picture] = look
                    _fill(bridge, args, picture, target, progress)
            time.sleep(_LOOK_SECONDS)
    return Exit.DONE


def _fill(bridge: Bridge, args: argparse.Namespace, picture: Path, target: Path, progress: JobProgress) -> None:
    trouble = target / f"{picture.stem}.fill.txt"
    try:
        done = jobs.paint(bridge, arguments_for(args, picture, folder=target), progress)
    except Exception as error:  # noqa: BLE001 - sorted there
        words = picture_error(error)
        # On a full disk it is still said in the terminal.
        with contextlib.suppress(OSError):
            _write(trouble, f"{words.message}\n{words.hint}\n")
        if args.json:
            print(json.dumps(picture_error_as_json(picture, words)), flush=True)
        print(f"paintbridge: {picture.name}: {words.message}\n  {words.hint}", file=sys.stderr)
    else:
        trouble.unlink(missing_ok=True)
        if args.json:
            print(json.dumps({"image": str(picture), **asdict(done)}), flush=True)
        else:
            jobs.tell(done)


def _pairs(folder: Path) -> Iterator[tuple[Path, Look]]:
    """Pictures that have a mask, and how both look."""
    # Editors and archives may spell the two names in different normal forms.
    names = {normal(path.name): path for path in folder.iterdir() if not path.name.startswith(".")}
    for name, mask in sorted(names.items()):
        stem = name.removesuffix(_MASK)
        pictures = (names[stem + ending] for ending in EXTENSIONS if name != stem and stem + ending in names)
        picture = next(pictures, None)
        if name.endswith(_MASK) and picture is not None:
            # Either may be taken away at any moment.
            with contextlib.suppress(FileNotFoundError):
                yield picture, (_look(picture), _look(mask))


def _look(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _is_filled(picture: Path, look: Look, target: Path) -> bool:
    """Whether its fill is there, or a batch of them, and newer than both."""
    fills = (path for path in target.iterdir() if path.name.startswith(f"{picture.stem}.fill"))
    newest = max((fill.stat().st_mtime_ns for fill in fills if fill.suffix in (".png", ".tiff")), default=0)
    return newest >= max(when for _, when in look)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    # Names that are no text, in what is said of them, are shown byte by byte.
    partial.write_text(text, encoding="utf-8", errors="backslashreplace")
    partial.replace(path)
