"""What picture files carry beside their pixels: read, judged by one table (:mod:`.parts`), and written anew.

libvips writes the pixels and the colour profile, and nothing else: it would carry on what is made from the old pixels,
and write EXIF through a library that garbles part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from .blocks import Blocks, Found
from .exif import clean_exif, parse_exif
from .ifd import Tree
from .iptc import clean_iptc
from .jpeg import MOST_XMP_BYTES, read_jpeg, write_jpeg
from .parts import Fate, Part, words_on_losses
from .png import read_png, write_png
from .tiff import read_tiff, write_tiff
from .webp import read_webp, write_webp
from .xmp import clean_xmp

__all__ = [
    "Blocks",
    "Fate",
    "Found",
    "Part",
    "for_layer",
    "parse_exif",
    "prepare",
    "read_found",
    "write_blocks",
]

_READERS: dict[str, Callable[[BinaryIO], Found]] = {
    "png": read_png,
    "jpeg": read_jpeg,
    "webp": read_webp,
    "tiff": read_tiff,
}


def read_found(path: Path, kind: str) -> Found:
    """What a file of that kind (``png``, ``jpeg``, ``webp``, ``tiff``) carries.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return _READERS[kind](file)


def prepare(
    found: Found, kind: str, *, width: int, height: int, moved: bool, now: datetime
) -> tuple[Blocks, tuple[str, ...]]:
    """What goes into a file of that kind beside new pixels; and what the user should know of the rest.

    Args:
        width, height: of the new picture.
        moved: whether the pixels lie elsewhere than they did: turned, enlarged or cut.
    """
    left, homeless = set(found.left), set()
    tree = Tree({})
    if found.exif is not None:
        tree, lost = clean_exif(found.exif, width=width, height=height, now=now)
        left |= lost
    xmp = b""
    if found.xmp:
        try:
            xmp, lost = clean_xmp(found.xmp, moved=moved, now=now)
            left |= lost
        except ValueError:
            left.add(Part.DAMAGED)
    iptc, lost = clean_iptc(found.iptc)
    left |= lost
    blocks = Blocks(exif=tree, xmp=xmp, resolution=found.resolution)
    if kind in ("jpeg", "tiff"):
        blocks = replace(blocks, iptc=iptc)
    elif iptc:
        homeless.add(Part.IPTC)
    if kind == "jpeg" and len(xmp) > MOST_XMP_BYTES:
        homeless.add(Part.XMP)
        blocks = replace(blocks, xmp=b"")
    if kind == "jpeg":
        blocks = replace(blocks, comments=found.comments)
    elif found.comments:
        homeless.add(Part.COMMENT)
    if kind == "png":
        blocks = replace(blocks, texts=found.texts, colour=found.colour, changed=found.changed)
    elif found.texts:
        homeless.add(Part.TEXTS)
    if kind == "tiff":
        blocks = replace(blocks, tags=found.tiff_colour | ({} if moved else found.geography))
    elif found.tiff_colour:
        homeless.add(Part.TIFF_COLOUR)
    if found.geography and moved:
        left.add(Part.GEOGRAPHY)
    elif found.geography and kind != "tiff":
        homeless.add(Part.GEOGRAPHY)
    if Part.GAIN_MAP in left:
        # In the file it is one of the further pictures, behind the first one's end.
        left -= {Part.OTHER_PICTURES, Part.TRAILER}
    elif Part.OTHER_PICTURES in left:
        left.discard(Part.TRAILER)
    return blocks, words_on_losses(left, homeless, kind.upper())


def for_layer(found: Found, kind: str) -> Blocks:
    """What goes into the file of a layer, which is to be laid over the picture: how its colours are meant alone."""
    return Blocks(
        colour=found.colour if kind == "png" else (),
        tags=found.tiff_colour if kind == "tiff" else {},
        resolution=found.resolution,
    )


def write_blocks(path: Path, kind: str, blocks: Blocks, *, width: int, height: int, alpha: bool, now: datetime) -> Path:
    """Put blocks into a file that libvips wrote with a profile at most.

    Returns:
        The file that has them: the same, or one beside it with ``.part`` at the end of its name.

    Raises:
        OSError: it cannot be written.
    """
    if kind == "tiff":
        with path.open("r+b") as file:
            write_tiff(file, blocks)
        return path
    whole = path.with_name(f"{path.name}.part")
    with path.open("rb") as source, whole.open("w+b") as target:
        if kind == "png":
            write_png(source, target, blocks, now)
        elif kind == "jpeg":
            write_jpeg(source, target, blocks)
        else:
            write_webp(source, target, blocks, width=width, height=height, alpha=alpha)
    return whole
