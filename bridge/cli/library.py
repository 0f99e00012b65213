"""``paintbridge library list | show | save | star | forget``: the results that the bridge has kept."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ..client import Bridge, LibraryEntry, ResultLayer
from ..errors import text_only
from ..protocol.messages import Browsed
from .connect import connected
from .exits import CliError, Exit, unwritable
from .jobs import layer_pixels
from .saving import Shape, check_output, write_picture

__all__ = ["run"]

_PAGE = 256


def run(args: argparse.Namespace) -> Exit:
    """Do what ``args.action`` says; with ``--json`` print one object.

    Raises:
        CliError: an entry is not there, or its picture cannot be written.
        BridgeError, ClientError: the bridge cannot be reached, or keeps nothing.
    """
    actions = {"list": _list, "show": _show, "save": _save, "star": _star, "forget": _forget}
    with connected(lambda _: None) as bridge:
        said, words = actions[args.action](bridge, args)
    print(json.dumps(said, indent=2) if args.json else text_only(words))
    return Exit.DONE


def _list(bridge: Bridge, args: argparse.Namespace) -> tuple[Any, str]:
    entries: list[LibraryEntry] = []
    more = True
    while more and len(entries) < args.limit:
        found: Browsed = bridge.browse(
            args.text,
            document=args.document,
            starred=args.starred,
            unfinished=args.unfinished,
            before=entries[-1].id if entries else "",
            limit=min(_PAGE, args.limit - len(entries)),
        )
        entries.extend(found.entries)
        more = found.more
    words = "\n".join(map(_row, entries)) or "The library has nothing of that."
    if more:
        words += "\nThere are more: --limit shows them."
    return {"entries": [asdict(entry) for entry in entries], "more": more}, words


def _show(bridge: Bridge, args: argparse.Namespace) -> tuple[Any, str]:
    entry = _found(bridge, args.entry)
    return asdict(entry), f"{_row(entry)}\n{json.dumps(asdict(entry), indent=2, ensure_ascii=False)}"


def _save(bridge: Bridge, args: argparse.Namespace) -> tuple[Any, str]:
    entry = _found(bridge, args.entry)
    layer = bridge.kept_layer(entry)
    _write(layer, args.output)
    place = {"picture": str(args.output), "x": layer.x, "y": layer.y}
    return place, f"{args.output}: a layer, whose corner lies at {layer.x}, {layer.y} of the canvas"


def _write(layer: ResultLayer, path: Path) -> None:
    picture = layer.picture
    if picture.encoding == "raw":
        check_output(path, Shape(picture.width, picture.height, picture.depth, alpha=picture.channels == 4))
        write_picture(layer_pixels(layer), path)
        return
    # The file that the client had asked for, byte for byte.
    if path.suffix.lower() != f".{picture.encoding}":
        raise CliError(
            f"This picture is kept as {picture.encoding}.", f"Name a file that ends with .{picture.encoding}."
        )
    try:
        path.write_bytes(layer.data)
    except OSError as error:
        raise unwritable(path, error) from error


def _star(bridge: Bridge, args: argparse.Namespace) -> tuple[Any, str]:
    bridge.star(args.entry, not args.remove)
    words = "It expires as others do." if args.remove else "It does not expire."
    return {"entry": args.entry, "starred": not args.remove}, words


def _forget(bridge: Bridge, args: argparse.Namespace) -> tuple[Any, str]:
    bridge.forget(args.entries)
    return {"forgotten": args.entries}, "Forgotten."


def _found(bridge: Bridge, name: str) -> LibraryEntry:
    """An entry by its id: the first of those up to it.

    Raises:
        CliError: there is none.
    """
    # The least text that sorts behind it.
    for entry in bridge.browse(before=name + "\0", limit=1).entries:
        if entry.id == name:
            return entry
    raise CliError(f"The library has no entry {name}.", "`paintbridge library list` names them.", code="entry_unknown")


def _row(entry: LibraryEntry) -> str:
    made = datetime.fromtimestamp(entry.made).strftime("%Y-%m-%d %H:%M")
    if entry.layer is not None:
        settings, size = entry.layer.recipe.settings, f"{entry.layer.picture.width}x{entry.layer.picture.height}"
    elif entry.unfinished is not None:
        settings, size = entry.unfinished.settings, "not ended"
    else:
        return f"{entry.id}  {made}"
    marks = [name for name in ("starred", "applied", "expired") if getattr(entry, name)]
    parts = [
        entry.id,
        made,
        str(settings.kind),
        size,
        *([entry.document.name] if entry.document and entry.document.name else []),
        *([f"[{', '.join(marks)}]"] if marks else []),
        settings.conditioning.prompt,
    ]
    return "  ".join(filter(None, parts))
