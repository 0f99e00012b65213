"""PNG's chunks (W3C, third edition, 5 and 11; C2PA 2.1, A.3.2)."""

from __future__ import annotations

import contextlib
import os
import shutil
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from .blocks import Blocks, Chunk, Found, Resolution
from .exif import Exif, exif_bytes, parse_exif
from .parts import Part
from .previews import holds_picture

__all__ = ["read_png", "write_png"]

_SIGNATURE_BYTES = 8
_MOST_BYTES = 1 << 24
"""Most bytes of one chunk, and of one text unpacked: what is longer, or packed tighter, is no text."""
_MOST_EXIF_BYTES = (1 << 31) - 1
_XMP_KEYWORD = b"XML:com.adobe.xmp"
_RAW_PROFILE = b"Raw profile type"

_COLOUR = (b"cICP", b"mDCV", b"gAMA", b"cHRM", b"sRGB")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
# The picture itself, and what libvips reads or what is counted.
_PICTURE = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"iCCP", b"fcTL", b"fdAT")
_CODING = (b"sBIT", b"hIST", b"sPLT", b"bKGD", b"tRNS", b"oFFs", b"iDOT", b"sTER", b"sCAL", b"pCAL", b"gIFg", b"gIFx")


def read_png(file: BinaryIO) -> Found:
    """What a PNG carries. Its picture may be broken; that is told by whoever reads it."""
    exif: Exif | None = None
    xmp, resolution, frames, changed = b"", None, 1, False
    colour: list[Chunk] = []
    texts: list[Chunk] = []
    left: set[Part] = set()
    for kind, size, at in _chunks(file):
        if kind in _PICTURE:
            continue
        if size > _MOST_BYTES:
            left.add(Part.TEXT_PICTURES if kind in _TEXTS else Part.PRIVATE)
            continue
        file.seek(at)
        body = file.read(size)
        if kind == b"acTL":
            frames = int.from_bytes(body[:4], "big")
        elif kind == b"eXIf":
            try:
                exif = parse_exif(body)
            except ValueError:
                left.add(Part.DAMAGED)
        elif kind in _COLOUR:
            colour.append((kind, body))
        elif kind in _TEXTS:
            text = _text(kind, body)
            if text is None or body.startswith(_RAW_PROFILE) or (not _is_xmp(body) and holds_picture(text)):
                left.add(Part.TEXT_PICTURES)
            elif _is_xmp(body):
                xmp = text
            else:
                texts.append((kind, body))
        elif kind == b"pHYs":
            resolution = _resolution(body)
        elif kind == b"tIME":
            changed = True
        elif kind == b"cLLI":
            left.add(Part.LIGHT_LEVELS)
        else:
            left.add(_other(kind))
    return Found(
        exif=exif, xmp=xmp, texts=tuple(texts), colour=tuple(colour), resolution=resolution, changed=changed,
        frames=frames, left=frozenset(left),
    )  # fmt: skip


def write_png(source: BinaryIO, target: BinaryIO, blocks: Blocks, now: datetime) -> None:
    """Copy a PNG that carries nothing but its profile, and put the blocks in."""
    target.write(source.read(_SIGNATURE_BYTES))
    chunks: list[Chunk] = [*blocks.colour]
    if blocks.resolution is not None:
        chunks.append((b"pHYs", b"".join(round(1000 * res).to_bytes(4, "big") for res in blocks.resolution) + b"\1"))
    exif = exif_bytes(blocks.exif, most=_MOST_EXIF_BYTES)
    if exif:
        chunks.append((b"eXIf", exif))
    if blocks.xmp:
        chunks.append((b"iTXt", _XMP_KEYWORD + b"\0\0\0\0\0" + blocks.xmp))
    chunks += blocks.texts
    if blocks.changed:
        when = now.astimezone(UTC)
        chunks.append((b"tIME", when.year.to_bytes(2, "big") + bytes(when.timetuple()[1:6])))
    for kind, size, at in _chunks(source):
        if kind == b"IDAT":
            for name, body in chunks:
                target.write(_chunk(name, body))
            source.seek(at - 8)
            shutil.copyfileobj(source, target, 1 << 20)
            return
        if kind in (b"IHDR", b"iCCP", b"PLTE"):
            source.seek(at)
            target.write(_chunk(kind, source.read(size)))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Type, size and place of each chunk's data; last, ``end`` for what follows the end."""
    end = file.seek(0, os.SEEK_END)
    at = _SIGNATURE_BYTES
    while at + 12 <= end:
        file.seek(at)
        head = file.read(8)
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        if at + 12 + size > end:
            return
        yield kind, size, at + 8
        at += 12 + size
        if kind == b"IEND":
            if at < end:
                yield b"end", 0, at
            return


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def _other(kind: bytes) -> Part:
    if kind == b"end":
        return Part.TRAILER
    if kind == b"caBX":
        return Part.CONTENT_CREDENTIALS
    return Part.CODING if kind in _CODING else Part.PRIVATE


def _is_xmp(body: bytes) -> bool:
    return body.startswith(_XMP_KEYWORD + b"\0")


def _text(kind: bytes, body: bytes) -> bytes | None:
    """The text alone, unpacked; None for what cannot be, or is too long."""
    _, _, rest = body.partition(b"\0")
    if kind == b"tEXt":
        return rest
    packed = True
    if kind == b"zTXt":
        rest = rest[1:]
    else:
        packed, parts = rest[:1] == b"\1", rest[2:].split(b"\0", 2)
        if len(parts) < 3:
            return None
        rest = parts[2]
    if not packed:
        return rest
    with contextlib.suppress(zlib.error):
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(rest, _MOST_BYTES)
        if unpacker.eof:
            return text
    return None


def _resolution(body: bytes) -> Resolution | None:
    if len(body) != 9 or body[8] != 1:
        return None
    across, down = (int.from_bytes(body[start : start + 4], "big") / 1000 for start in (0, 4))
    return (across, down) if across and down else None
