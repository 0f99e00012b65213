"""WebP's chunks (RFC 9649, 2.7; C2PA 2.1, A.3.6)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import BinaryIO

from .blocks import Blocks, Found
from .exif import Exif, exif_bytes, parse_exif, resolution_of
from .parts import Part

__all__ = ["read_webp", "write_webp"]

_HEAD_BYTES = 12
_MOST_BYTES = 1 << 24
_PICTURE = (b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ICCP", b"ANIM", b"ANMF")
_ALPHA, _EXIF, _XMP = 0x10, 0x08, 0x04


def read_webp(file: BinaryIO) -> Found:
    """What a WebP carries. Its picture may be broken; that is told by whoever reads it."""
    exif: Exif | None = None
    xmp, frames = b"", 0
    left: set[Part] = set()
    for kind, size, at in _chunks(file):
        frames += kind == b"ANMF"
        if kind in _PICTURE:
            continue
        if kind == b"end":
            left.add(Part.TRAILER)
        elif kind == b"C2PA":
            left.add(Part.CONTENT_CREDENTIALS)
        elif kind not in (b"EXIF", b"XMP ") or size > _MOST_BYTES:
            left.add(Part.PRIVATE)
        else:
            file.seek(at)
            body = file.read(size)
            if kind == b"XMP ":
                xmp = body
                continue
            try:
                exif = parse_exif(body)
            except ValueError:
                left.add(Part.DAMAGED)
    resolution = None if exif is None else resolution_of(exif.tree.entries)
    return Found(exif=exif, xmp=xmp, resolution=resolution, frames=max(frames, 1), left=frozenset(left))


def write_webp(source: BinaryIO, target: BinaryIO, blocks: Blocks, *, width: int, height: int, alpha: bool) -> None:
    """Copy a WebP that carries nothing but its profile, and put the blocks in."""
    exif = exif_bytes(blocks.exif, most=(1 << 31) - 1)
    chunks = list(_chunks(source))
    flags = (_EXIF if exif else 0) | (_XMP if blocks.xmp else 0)
    source.seek(0)
    target.write(source.read(_HEAD_BYTES))
    if flags:
        if chunks[0][0] == b"VP8X":
            source.seek(chunks[0][2])
            body = source.read(chunks[0][1])
            chunks = chunks[1:]
        else:
            extent = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
            body = bytes((_ALPHA if alpha else 0, 0, 0, 0)) + extent
        target.write(_chunk(b"VP8X", bytes((body[0] | flags,)) + body[1:]))
    source.seek(chunks[0][2] - 8)
    shutil.copyfileobj(source, target, 1 << 20)
    for kind, data in ((b"EXIF", exif), (b"XMP ", blocks.xmp)):
        if data:
            target.write(_chunk(kind, data))
    end = target.tell()
    target.seek(4)
    target.write((end - 8).to_bytes(4, "little"))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Type, size and place of each chunk's data; last, ``end`` for what follows the end."""
    end = file.seek(0, os.SEEK_END)
    file.seek(4)
    stop = min(end, 8 + int.from_bytes(file.read(4), "little"))
    at = _HEAD_BYTES
    while at + 8 <= stop:
        file.seek(at)
        head = file.read(8)
        size = int.from_bytes(head[4:], "little")
        yield head[:4], size, at + 8
        at += 8 + size + size % 2
    if stop < end:
        yield b"end", 0, stop


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)
