"""Image file directories, of which TIFF and EXIF are made. Read in either byte order, written little endian.

TIFF 6.0, section 2; BigTIFF has 8 bytes where TIFF has 4, and a header of 16 (https://libtiff.gitlab.io/libtiff).
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

__all__ = [
    "BYTE",
    "LONG",
    "RATIONAL",
    "SHORT",
    "UNDEFINED",
    "Directory",
    "Entry",
    "Layout",
    "Tree",
    "read_tree",
    "text",
    "whole",
    "write_tree",
]

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 2, 3, 4, 5, 7, 16
# By type: bytes of one value, and bytes of what is turned round in the other byte order.
_SIZES = {
    **{1: (1, 1), 2: (1, 1), 3: (2, 2), 4: (4, 4), 5: (8, 4), 6: (1, 1), 7: (1, 1), 8: (2, 2), 9: (4, 4)},
    **{10: (8, 4), 11: (4, 4), 12: (8, 8), 13: (4, 4), 16: (8, 8), 17: (8, 8), 18: (8, 8)},
}
_MOST_ENTRIES = 4096
_MOST_BYTES = 1 << 24
"""Most bytes of one value that is read: of what is longer it is only known that it is there."""


@dataclass(frozen=True)
class Entry:
    """One tag's values. ``data`` is little endian; None: too long to be of use here."""

    kind: int
    count: int
    data: bytes | None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Its values, of a type of whole numbers; else none."""
        code = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(self.kind)
        return () if self.data is None or code is None else struct.unpack(f"<{self.count}{code}", self.data)


Directory = dict[int, Entry]


def text(words: str) -> Entry:
    """An entry that holds ASCII."""
    data = words.encode("ascii") + b"\0"
    return Entry(ASCII, len(data), data)


def whole(kind: int, *values: int) -> Entry:
    """An entry of whole numbers: BYTE, SHORT, LONG or LONG8; RATIONAL with a pair for each value."""
    code = {BYTE: "B", SHORT: "H", LONG: "I", RATIONAL: "I", LONG8: "Q"}[kind]
    count = len(values) // 2 if kind == RATIONAL else len(values)
    return Entry(kind, count, struct.pack(f"<{len(values)}{code}", *values))


@dataclass(frozen=True)
class Layout:
    """How a file's directories lie in it: its byte order (``<`` or ``>``), and whether it is a BigTIFF."""

    order: str = "<"
    big: bool = False

    @classmethod
    def of(cls, file: BinaryIO) -> tuple[Layout, int]:
        """The layout of a file that begins here, and where its first directory lies.

        Raises:
            ValueError: it is no TIFF.
        """
        head = file.read(16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        version = struct.unpack(f"{order}H", head[2:4])[0] if order and len(head) >= 8 else 0
        if version == 42:
            return cls(order or "<", False), struct.unpack(f"{order}I", head[4:8])[0]
        if version == 43 and len(head) == 16:
            return cls(order or "<", True), struct.unpack(f"{order}Q", head[8:16])[0]
        raise ValueError("no TIFF")

    @property
    def word(self) -> int:
        """Bytes of an offset."""
        return 8 if self.big else 4

    def read(self, file: BinaryIO, at: int) -> tuple[Directory, int]:
        """The directory that lies there, and where the next one does (0: there is none). Broken entries are left out.

        Raises:
            ValueError: there is no directory.
        """
        end = file.seek(0, os.SEEK_END)
        file.seek(at)
        count = self._number(file.read(8 if self.big else 2))
        if not 0 < count <= _MOST_ENTRIES:
            raise ValueError("no directory")
        entry_bytes = 4 + 2 * self.word
        table = file.read(count * entry_bytes)
        if len(table) < count * entry_bytes:
            raise ValueError("a directory that is cut off")
        following = self._number(file.read(self.word).ljust(self.word, b"\0"))
        found: Directory = {}
        for start in range(0, len(table), entry_bytes):
            tag, kind = struct.unpack(f"{self.order}HH", table[start : start + 4])
            length = self._number(table[start + 4 : start + 4 + self.word])
            place = table[start + 4 + self.word : start + entry_bytes]
            if kind not in _SIZES:
                continue
            size, unit = _SIZES[kind]
            if length * size > _MOST_BYTES:
                found[tag] = Entry(kind, length, None)
                continue
            data = place[: length * size]
            if length * size > self.word:
                if self._number(place) + length * size > end:
                    continue
                file.seek(self._number(place))
                data = file.read(length * size)
            found[tag] = Entry(kind, length, data if self.order == "<" else _turned(data, unit))
        return found, following

    def write(self, directory: Directory, at: int, following: int = 0) -> bytes:
        """A directory that is to lie there, and its values behind it."""
        assert self.order == "<"
        head = struct.pack("<Q" if self.big else "<H", len(directory))
        behind = at + len(head) + len(directory) * (4 + 2 * self.word) + self.word
        table, values = [head], b""
        for tag, entry in sorted(directory.items()):
            assert entry.data is not None
            place = entry.data
            if len(place) > self.word:
                place = self._offset(behind + len(values))
                values += entry.data + bytes(len(entry.data) % 2)
            table += [struct.pack("<HH", tag, entry.kind), self._offset(entry.count), place.ljust(self.word, b"\0")]
        return b"".join([*table, self._offset(following), values])

    def pointer(self, at: int) -> Entry:
        """An entry that points to a directory."""
        return whole(LONG8 if self.big else LONG, at)

    def _number(self, data: bytes) -> int:
        return int.from_bytes(data, "little" if self.order == "<" else "big")

    def _offset(self, value: int) -> bytes:
        return value.to_bytes(self.word, "little")


@dataclass(frozen=True)
class Tree:
    """A directory, and those that it points to, by tag."""

    entries: Directory
    below: Mapping[int, Tree] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.entries or any(self.below.values()))


def read_tree(file: BinaryIO, layout: Layout, at: int, pointers: Mapping[int, Any]) -> tuple[Tree, int]:
    """A directory with those that ``pointers`` lead to, each tag with the pointers of what it leads to; and where the
    next one lies. A pointer that leads nowhere is left out.

    Raises:
        ValueError: there is no directory there.
    """
    entries, following = layout.read(file, at)
    below: dict[int, Tree] = {}
    for tag, further in pointers.items():
        said = entries.pop(tag, None)
        if said is not None and said.numbers:
            with contextlib.suppress(ValueError):
                below[tag] = read_tree(file, layout, said.numbers[0], further)[0]
    return Tree(entries, below), following


def write_tree(tree: Tree, layout: Layout, at: int, following: int = 0) -> bytes:
    """A directory that is to lie there, with its values and the directories that it points to behind it."""
    below = {tag: child for tag, child in tree.below.items() if child}
    entries = tree.entries | dict.fromkeys(below, layout.pointer(0))
    parts = [layout.write(entries, at)]
    for tag, child in below.items():
        start = at + sum(map(len, parts))
        entries[tag] = layout.pointer(start)
        parts.append(write_tree(child, layout, start))
    return b"".join([layout.write(entries, at, following), *parts[1:]])


def _turned(data: bytes, unit: int) -> bytes:
    if unit == 1:
        return data
    return b"".join(data[start : start + unit][::-1] for start in range(0, len(data), unit))
