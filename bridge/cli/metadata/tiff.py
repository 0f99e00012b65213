"""TIFF's tags (TIFF 6.0; its supplements 1 and 2; GeoTIFF 1.1; C2PA 2.1, A.3.5)."""

from __future__ import annotations

import os
from typing import BinaryIO

from .blocks import Blocks, Found
from .exif import POINTERS, RESOLUTION_TAGS, Exif, describes, resolution_of
from .ifd import BYTE, LONG, RATIONAL, SHORT, UNDEFINED, Entry, Layout, Tree, read_tree, whole, write_tree
from .iptc import out_of_resources
from .parts import Part

__all__ = ["read_tiff", "write_tiff"]

_SUBIFDS, _XMP, _IPTC, _PHOTOSHOP, _ICC, _PHOTOSHOP_LAYERS, _C2PA = 330, 700, 33723, 34377, 34675, 37724, 52545
_ANNOTATIONS = 50255
_COLOUR = {301, 318, 319}
_GEOGRAPHY = {33550, 33922, 34264, 34735, 34736, 34737, 42112, 42113}
_LOST = {
    _SUBIFDS: Part.SUBIFDS,
    _PHOTOSHOP_LAYERS: Part.PHOTOSHOP_LAYERS,
    _ANNOTATIONS: Part.PHOTOSHOP_LAYERS,
    _C2PA: Part.CONTENT_CREDENTIALS,
}


def read_tiff(file: BinaryIO) -> Found:
    """What a TIFF's first page carries. Its picture may be broken; that is told by whoever reads it."""
    try:
        layout, at = Layout.of(file)
        tree, _ = read_tree(file, layout, at, POINTERS)
    except ValueError:
        return Found(left=frozenset({Part.DAMAGED}))
    entries = tree.entries
    left = {part for tag, part in _LOST.items() if tag in entries}
    known = {_XMP, _IPTC, _PHOTOSHOP, _ICC, *_COLOUR, *_GEOGRAPHY, *_LOST}
    main = {tag: entry for tag, entry in entries.items() if tag not in known}
    if any(not describes(tag) for tag in main):
        left.add(Part.PRIVATE)
    resources, beside = out_of_resources(_data(entries.get(_PHOTOSHOP)))
    return Found(
        exif=Exif(Tree({tag: entry for tag, entry in main.items() if describes(tag)}, tree.below)),
        xmp=_data(entries.get(_XMP)),
        iptc=_datasets(entries.get(_IPTC), layout) or resources,
        tiff_colour={tag: entries[tag] for tag in _COLOUR & entries.keys()},
        geography={tag: entry for tag, entry in entries.items() if tag in _GEOGRAPHY and entry.data is not None},
        resolution=resolution_of(entries),
        left=frozenset(left | beside),
    )


def write_tiff(file: BinaryIO, blocks: Blocks) -> None:
    """Put the blocks into a TIFF that libvips wrote: a new first directory goes to its end."""
    file.seek(0)
    layout, at = Layout.of(file)
    entries, following = layout.read(file, at)
    entries |= {tag: entry for tag, entry in blocks.exif.entries.items() if tag not in RESOLUTION_TAGS} | blocks.tags
    if blocks.resolution is None:
        # The standard wants the tags: a ratio, in no unit.
        across, down, unit = RESOLUTION_TAGS
        entries |= {across: whole(RATIONAL, 1, 1), down: whole(RATIONAL, 1, 1), unit: whole(SHORT, 1)}
    if blocks.xmp:
        entries[_XMP] = Entry(BYTE, len(blocks.xmp), blocks.xmp)
    if blocks.iptc:
        entries[_IPTC] = Entry(UNDEFINED, len(blocks.iptc), blocks.iptc)
    end = file.seek(0, os.SEEK_END)
    file.write(bytes(-end % 8))
    start = file.tell()
    file.write(write_tree(Tree(entries, blocks.exif.below), layout, start, following))
    file.seek(8 if layout.big else 4)
    file.write(start.to_bytes(layout.word, "little"))


def _data(entry: Entry | None) -> bytes:
    return b"" if entry is None or entry.data is None else entry.data


def _datasets(entry: Entry | None, layout: Layout) -> bytes:
    """IPTC's datasets. Where they are said to be whole numbers they are bytes all the same, in no byte order."""
    data = _data(entry)
    if entry is None or entry.kind != LONG or layout.order == "<":
        return data
    return b"".join(data[start : start + 4][::-1] for start in range(0, len(data), 4))
