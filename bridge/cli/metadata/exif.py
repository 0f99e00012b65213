"""EXIF, cleaned: the standard's own facts stay, whatever may hold old pixels goes (CIPA DC-008-2023, EXIF 3.0).

Tags are kept by name, not dropped by name: makers put previews wherever they like.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .ifd import LONG, RATIONAL, SHORT, UNDEFINED, Directory, Entry, Layout, Tree, read_tree, text, whole, write_tree
from .parts import Part
from .previews import holds_picture

__all__ = [
    "POINTERS",
    "RESOLUTION_TAGS",
    "Exif",
    "clean_exif",
    "describes",
    "exif_bytes",
    "parse_exif",
    "resolution_of",
]

_EXIF_POINTER, _GPS_POINTER, _INTEROP_POINTER = 0x8769, 0x8825, 0xA005
POINTERS: dict[int, dict[int, Any]] = {_EXIF_POINTER: {_INTEROP_POINTER: {}}, _GPS_POINTER: {}}

_ORIENTATION, _DATE_TIME, _MAKER_NOTE, _USER_COMMENT = 0x0112, 0x0132, 0x927C, 0x9286
RESOLUTION_TAGS = (0x011A, 0x011B, 0x0128)
"""Across, down, and in which unit."""
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = RESOLUTION_TAGS
_WIDTH, _HEIGHT = 0xA002, 0xA003
_TIME_OF_CHANGE = {0x9010, 0x9290}
_SUBJECT = {0x9214, 0xA214}

# Names, words, rights and ratings, and how colours are meant: all that describes a picture in its first directory.
_MAIN = {
    *(0x010D, 0x010E, 0x010F, 0x0110, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, 0x011D, 0x012D, 0x0131),
    *(_DATE_TIME, 0x013B, 0x013C, 0x013E, 0x013F, 0x4746, 0x4749, 0x8298, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F),
}
# What a file says of its own packing; each format says it anew.
_PACKING = {
    *range(0x00FE, 0x0108), 0x010A, 0x0111, _ORIENTATION, *range(0x0115, 0x011A), 0x011C, 0x0129, 0x013D, 0x0140,
    *range(0x0142, 0x0146), 0x0152, 0x0153, *range(0x0200, 0x0203), *range(0x0211, 0x0215), 0xA001,
    # And what stands elsewhere in the file too, or says nothing: XMP, IPTC, Photoshop's, ICC, PrintIM, padding.
    0x02BC, 0x83BB, 0x8649, 0x8773, 0xC4A5, 0xEA1C,
}  # fmt: skip
_PHOTOGRAPH = {
    *(0x829A, 0x829D, 0x8822, 0x8824, 0x8827, 0x8828, 0x9000, 0x9003, 0x9004, 0x9011, 0x9012, 0x9101, 0x9102),
    *(0x9291, 0x9292, 0xA000, 0xA001, 0xA004, 0xA20B, 0xA20C, 0xA20E, 0xA20F, 0xA210, 0xA215, 0xA217, 0xA420, 0xA500),
    *(0xA460, 0xA461, 0xA462),
    *range(0x8830, 0x8836), *range(0x9201, 0x920B), _USER_COMMENT, *range(0x9400, 0x9406), *range(0xA300, 0xA303),
    *range(0xA401, 0xA40D), *range(0xA430, 0xA43D),
}  # fmt: skip
_PLACE = set(range(0x0020))
_INTEROP = {0x0001, 0x0002}
_UNICODE = b"UNICODE\0"
_MOST_BYTES = 32 << 10
"""Most bytes of one value: nothing that describes a photograph is longer."""


@dataclass(frozen=True)
class Exif:
    """EXIF as a file has it. ``thumbnail``: whether a second directory follows, which is a thumbnail's."""

    tree: Tree
    thumbnail: bool = False


def parse_exif(block: bytes) -> Exif:
    """Read a block of EXIF, with or without its own header.

    Raises:
        ValueError: it is damaged.
    """
    file = io.BytesIO(block.removeprefix(b"Exif\0\0"))
    layout, at = Layout.of(file)
    tree, following = read_tree(file, layout, at, POINTERS)
    thumbnail = False
    if following:
        with contextlib.suppress(ValueError):
            thumbnail = bool(layout.read(file, following)[0])
    return Exif(_little_endian(tree, layout), thumbnail)


def clean_exif(exif: Exif, *, width: int, height: int, now: datetime) -> tuple[Tree, set[Part]]:
    """What stays of it beside new pixels, upright and of that size; and what was dropped."""
    left = {Part.EXIF_THUMBNAIL} if exif.thumbnail else set()
    main = _kept(exif.tree.entries, _MAIN, _PACKING, left)
    if _ORIENTATION in exif.tree.entries:
        main[_ORIENTATION] = whole(SHORT, 1)
    if _DATE_TIME in main:
        main[_DATE_TIME] = text(now.strftime("%Y:%m:%d %H:%M:%S"))
    below = {}
    photograph = exif.tree.below.get(_EXIF_POINTER)
    if photograph is not None:
        if _MAKER_NOTE in photograph.entries:
            left.add(Part.MAKER_NOTE)
        if _SUBJECT & photograph.entries.keys():
            left.add(Part.EXIF_SUBJECT)
        unsaid = {_MAKER_NOTE, _WIDTH, _HEIGHT, *_SUBJECT, *_TIME_OF_CHANGE}
        entries = _kept(photograph.entries, _PHOTOGRAPH, unsaid, left)
        if {_WIDTH, _HEIGHT} & photograph.entries.keys():
            entries |= {_WIDTH: whole(LONG, width), _HEIGHT: whole(LONG, height)}
        interop = photograph.below.get(_INTEROP_POINTER, Tree({})).entries
        related = Tree(_kept(interop, _INTEROP, set(interop), left))
        below[_EXIF_POINTER] = Tree(entries, {_INTEROP_POINTER: related})
    if _GPS_POINTER in exif.tree.below:
        below[_GPS_POINTER] = Tree(_kept(exif.tree.below[_GPS_POINTER].entries, _PLACE, set(), left))
    return Tree(main, below), left


def exif_bytes(tree: Tree, *, most: int) -> bytes:
    """The block, without a header of its own; b"" for nothing. Its longest values are left out until ``most`` bytes
    hold it.
    """
    if not tree:
        return b""
    block = b"II*\0\x08\0\0\0" + write_tree(tree, Layout(), 8)
    return block if len(block) <= most else exif_bytes(_without_longest(tree), most=most)


def describes(tag: int) -> bool:
    """Whether a picture's first directory may have this tag, by EXIF or by TIFF itself."""
    return tag in _MAIN or tag in _PACKING


def resolution_of(entries: Directory) -> tuple[float, float] | None:
    """Pixels per millimetre, across and down, if a directory says so."""
    across, down = (_ratio(entries.get(tag)) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    unit = entries[_RESOLUTION_UNIT].numbers[:1] if _RESOLUTION_UNIT in entries else (2,)
    if across is None or down is None or unit not in ((2,), (3,)):
        return None
    millimetres = 25.4 if unit == (2,) else 10.0
    return across / millimetres, down / millimetres


def _ratio(entry: Entry | None) -> float | None:
    if entry is None or entry.kind != RATIONAL or entry.data is None or len(entry.data) < 8:
        return None
    over, under = (int.from_bytes(entry.data[start : start + 4], "little") for start in (0, 4))
    return over / under if over and under else None


def _kept(found: Directory, wanted: set[int], unsaid: set[int], left: set[Part]) -> Directory:
    kept = {}
    for tag, entry in found.items():
        if tag not in wanted:
            if tag not in unsaid:
                left.add(Part.EXIF_PRIVATE)
        elif entry.data is None or len(entry.data) > _MOST_BYTES or holds_picture(entry.data):
            left.add(Part.EXIF_PRIVATE)
        else:
            kept[tag] = entry
    return kept


def _without_longest(tree: Tree) -> Tree:
    trees = [(len(entry.data or b""), tag, tree) for tag, entry in tree.entries.items()]
    for child in tree.below.values():
        trees += [(len(entry.data or b""), tag, child) for tag, entry in child.entries.items()]
    _, longest, holder = max(trees, key=lambda entry: entry[:2])

    def without(one: Tree) -> Tree:
        entries = {tag: entry for tag, entry in one.entries.items() if one is not holder or tag != longest}
        return Tree(entries, {tag: without(child) for tag, child in one.below.items()})

    return without(tree)


def _little_endian(tree: Tree, layout: Layout) -> Tree:
    """A comment in UTF-16 is in the block's byte order, though its type is bytes."""
    photograph = tree.below.get(_EXIF_POINTER)
    comment = photograph.entries.get(_USER_COMMENT) if photograph else None
    if layout.order == "<" or photograph is None or comment is None or not (comment.data or b"").startswith(_UNICODE):
        return tree
    words = (comment.data or b"")[len(_UNICODE) :]
    turned = words.decode("utf-16-be", "replace").encode("utf-16-le", "replace")
    entry = Entry(UNDEFINED, len(_UNICODE) + len(turned), _UNICODE + turned)
    changed = Tree(photograph.entries | {_USER_COMMENT: entry}, photograph.below)
    return Tree(tree.entries, {**tree.below, _EXIF_POINTER: changed})
