"""JPEG's segments (ITU T.81, B; JFIF 1.02; CIPA DC-008 and DC-007; XMP part 3; ISO 21496-1; C2PA 2.1, A.3.1)."""

from __future__ import annotations

import mmap
import re
import shutil
from collections.abc import Iterator
from typing import BinaryIO

from .blocks import Blocks, Found, Resolution
from .exif import Exif, exif_bytes, parse_exif, resolution_of
from .iptc import PHOTOSHOP, in_resources, out_of_resources
from .parts import Part
from .previews import holds_picture

__all__ = ["MOST_XMP_BYTES", "read_jpeg", "write_jpeg"]

_MOST_SEGMENT_BYTES = 65533
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0"
_INCH = 25.4
MOST_XMP_BYTES = _MOST_SEGMENT_BYTES - len(_XMP)
"""Most bytes of XMP that one segment holds."""

_COMMENT, _START_OF_SCAN, _END = 0xFE, 0xDA, 0xD9
_APPLICATION = range(0xE0, 0xF0)
# After a byte of 255: neither stuffing, nor a restart, nor another of them.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def read_jpeg(file: BinaryIO) -> Found:
    """What a JPEG carries. Its picture may be broken; that is told by whoever reads it."""
    exif: Exif | None = None
    xmp, resources, resolution = b"", b"", None
    comments: list[bytes] = []
    left: set[Part] = set()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for marker, body in _segments(data):
            if marker == _COMMENT:
                if holds_picture(body):
                    left.add(Part.PRIVATE)
                else:
                    comments.append(body)
            elif marker == 0xE1 and body.startswith(_EXIF):
                try:
                    exif = parse_exif(body)
                except ValueError:
                    left.add(Part.DAMAGED)
            elif marker == 0xE1 and body.startswith(_XMP):
                xmp = body[len(_XMP) :]
            elif marker == 0xED and body.startswith(PHOTOSHOP):
                # What does not fit into one segment goes on in the next.
                resources += body[len(PHOTOSHOP) :]
            elif marker == 0xE0 and body.startswith(b"JFIF\0"):
                resolution = _jfif_resolution(body)
                if body[12:14] not in (b"", b"\0\0"):
                    left.add(Part.JFIF_THUMBNAIL)
            else:
                left |= _other(marker, body)
    if resolution is None and exif is not None:
        resolution = resolution_of(exif.tree.entries)
    iptc, beside = out_of_resources(resources)
    return Found(
        exif=exif, xmp=xmp, iptc=iptc, comments=tuple(comments), resolution=resolution, left=frozenset(left | beside)
    )


def write_jpeg(source: BinaryIO, target: BinaryIO, blocks: Blocks) -> None:
    """Copy a JPEG that carries nothing but its profile, and put the blocks in."""
    target.write(source.read(2))
    target.write(_segment(0xE0, b"JFIF\0\1\1" + _jfif_density(blocks.resolution) + b"\0\0"))
    exif = exif_bytes(blocks.exif, most=_MOST_SEGMENT_BYTES - len(_EXIF))
    if exif:
        target.write(_segment(0xE1, _EXIF + exif))
    if blocks.xmp:
        target.write(_segment(0xE1, _XMP + blocks.xmp))
    resources = in_resources(blocks.iptc) if blocks.iptc else b""
    room = _MOST_SEGMENT_BYTES - len(PHOTOSHOP)
    for start in range(0, len(resources), room):
        target.write(_segment(0xED, PHOTOSHOP + resources[start : start + room]))
    for comment in blocks.comments:
        target.write(_segment(_COMMENT, comment))
    if source.read(2) == b"\xff\xe0":
        source.seek(int.from_bytes(source.read(2), "big") - 2, 1)
    else:
        source.seek(-2, 1)
    shutil.copyfileobj(source, target, 1 << 20)


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def _segments(data: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    """Application segments and comments, of all the first picture's; last, what follows its end, as marker 217."""
    at = 2
    while (found := _MARKER.search(data, at)) is not None:
        marker = data[found.start() + 1]
        at = found.end()
        if marker == _END:
            if data[at : at + 4096].strip(b"\0"):
                yield _END, b""
            return
        if marker == 0x01:
            continue
        size = int.from_bytes(data[at : at + 2], "big")
        if marker == _COMMENT or marker in _APPLICATION:
            yield marker, data[at + 2 : at + size]
        at += max(size, 2)


def _other(marker: int, body: bytes) -> set[Part]:
    if marker == _END:
        return {Part.TRAILER}
    if marker == 0xE0 and body.startswith(b"JFXX\0"):
        return {Part.JFIF_THUMBNAIL}
    if marker == 0xE1 and body.startswith(_XMP_EXTENSION):
        return {Part.XMP_EXTENDED}
    if marker == 0xE2 and body.startswith(b"MPF\0"):
        return {Part.OTHER_PICTURES}
    if marker == 0xE2 and body.startswith(_GAIN_MAP):
        return {Part.GAIN_MAP}
    if marker == 0xEB and body.startswith(b"JP"):
        return {Part.CONTENT_CREDENTIALS}
    # The profile, and how Adobe's programs packed the picture.
    packing = ((0xE2, b"ICC_PROFILE\0"), (0xEC, b"Ducky"), (0xED, b"Adobe_CM"), (0xEE, b"Adobe"))
    if any(marker == known and body.startswith(name) for known, name in packing):
        return set()
    return {Part.PRIVATE}


def _jfif_resolution(body: bytes) -> Resolution | None:
    unit, across, down = body[7:8], int.from_bytes(body[8:10], "big"), int.from_bytes(body[10:12], "big")
    if unit not in (b"\1", b"\2") or not across or not down:
        return None
    millimetres = _INCH if unit == b"\1" else 10.0
    return across / millimetres, down / millimetres


def _jfif_density(resolution: Resolution | None) -> bytes:
    across, down = (1, 1) if resolution is None else (round(_INCH * value) for value in resolution)
    if resolution is None or not (0 < across < 1 << 16 and 0 < down < 1 << 16):
        return b"\0\0\1\0\1"
    return b"\1" + across.to_bytes(2, "big") + down.to_bytes(2, "big")
