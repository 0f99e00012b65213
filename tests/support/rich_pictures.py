"""Small picture files that carry more than pixels, and what such files carry, read chunk by chunk.

Written from the formats' own specifications, apart from what is tested. ``SECRET`` stands for old pixels: it is put
into everything that must not survive.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

__all__ = [
    "HEIGHT", "PIXELS", "SECRET", "SECRET_BASE64", "WIDTH", "chunk", "chunks", "exif_block", "jpeg", "png",
    "segment", "segments", "tags", "thumbnail", "tiff", "webp", "webp_chunk", "webp_chunks", "xmp_packet",
]  # fmt: skip

WIDTH, HEIGHT = 16, 12
PIXELS = np.random.default_rng(7).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)

Tag = tuple[int, bytes]
"""Its type, and its values, little endian."""
_NONE: Mapping[int, Tag] = {}


def thumbnail() -> bytes:
    """A JPEG, as cameras put it into EXIF."""
    file = io.BytesIO()
    Image.fromarray(PIXELS[::-1]).save(file, "JPEG")
    return file.getvalue()


SECRET = thumbnail()
SECRET_BASE64 = base64.b64encode(SECRET).decode()

# ---------------------------------------------------------------- EXIF and TIFF

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 10: 8, 12: 8}
_UNITS = {3: 2, 4: 4, 5: 4, 10: 4, 12: 8}


def exif_block(
    main: Mapping[int, Tag] = _NONE,
    photograph: Mapping[int, Tag] = _NONE,
    place: Mapping[int, Tag] = _NONE,
    *,
    small: bytes = b"",
    order: str = "<",
) -> bytes:
    """EXIF without a header of its own; ``small`` is a thumbnail's JPEG."""
    block = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0)
    pointers = {}
    for tag, entries in ((0x8769, photograph), (0x8825, place)):
        if entries:
            pointers[tag] = (4, struct.pack("<I", len(block)))
            block += _directory(entries, len(block), order)
    following = 0
    if small:
        following = len(block)
        block += small + bytes(len(small) % 2)
        where = {
            0x0103: (3, b"\6\0"),
            0x0201: (4, struct.pack("<I", following)),
            0x0202: (4, struct.pack("<I", len(small))),
        }
        following = len(block)
        block += _directory(where, len(block), order)
    head = block[:4] + struct.pack(order + "I", len(block))
    return head + block[8:] + _directory({**main, **pointers}, len(block), order, following)


def tiff(
    extra: Mapping[int, Tag] = _NONE, photograph: Mapping[int, Tag] = _NONE, *, order: str = "<", pages: int = 1
) -> bytes:
    """An uncompressed TIFF. A tag 330 is given as the bytes of a small picture, which becomes a directory below."""
    block = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0)
    at = len(block)
    block += PIXELS.tobytes()
    entries: dict[int, Tag] = {
        256: (3, struct.pack("<H", WIDTH)), 257: (3, struct.pack("<H", HEIGHT)), 258: (3, struct.pack("<3H", 8, 8, 8)),
        259: (3, b"\1\0"), 262: (3, b"\2\0"), 273: (4, struct.pack("<I", at)), 277: (3, b"\3\0"),
        278: (3, struct.pack("<H", HEIGHT)), 279: (4, struct.pack("<I", PIXELS.size)),
        **extra,
    }  # fmt: skip
    if 330 in extra:
        small = {**entries, 254: (4, b"\1\0\0\0"), 40000: (7, extra[330][1])}
        del small[330]
        entries[330] = (4, struct.pack("<I", len(block)))
        block += _directory(small, len(block), order)
    if photograph:
        entries[0x8769] = (4, struct.pack("<I", len(block)))
        block += _directory(photograph, len(block), order)
    first = following = 0
    for _ in range(pages):
        first = len(block)
        block += _directory(entries, first, order, following)
        following = first
    return block[:4] + struct.pack(order + "I", first) + block[8:]


def tags(path: Path) -> dict[int, object]:
    """The tags of a TIFF's first page, as Pillow reads them."""
    with Image.open(path) as image:
        return dict(image.tag_v2)


def _directory(entries: Mapping[int, Tag], at: int, order: str, following: int = 0) -> bytes:
    table, values = struct.pack(order + "H", len(entries)), b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, (kind, data) in sorted(entries.items()):
        count = len(data) // _SIZES[kind]
        if order == ">":
            unit = _UNITS.get(kind, 1)
            data = b"".join(data[i : i + unit][::-1] for i in range(0, len(data), unit))
        field = data.ljust(4, b"\0")
        if len(data) > 4:
            field = struct.pack(order + "I", behind + len(values))
            values += data + bytes(len(data) % 2)
        table += struct.pack(order + "HHI", tag, kind, count) + field
    return table + struct.pack(order + "I", following) + values


# ---------------------------------------------------------------- the other containers


def png(*extra: bytes, trailer: bytes = b"") -> bytes:
    """A PNG with chunks behind its header."""
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    data = file.getvalue()
    return data[:33] + b"".join(extra) + data[33:] + trailer


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def chunks(path: Path) -> dict[bytes, list[bytes]]:
    """A PNG's chunks by type, in their order; those that are broken are an error."""
    data, at, found = path.read_bytes(), 8, {}
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        found.setdefault(kind, []).append(body)
        at += 12 + size
    assert at == len(data)
    return found


def jpeg(*extra: bytes, trailer: bytes = b"") -> bytes:
    """A JPEG with segments behind its JFIF header, which is of no resolution."""
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "JPEG", quality=95, subsampling=0)
    data = file.getvalue()
    return data[:20] + b"".join(extra) + data[20:] + trailer


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def segments(path: Path) -> Iterator[tuple[int, bytes]]:
    """A JPEG's segments up to its picture."""
    data, at = path.read_bytes(), 2
    while data[at + 1] != 0xDA:
        assert data[at] == 0xFF
        size = struct.unpack(">H", data[at + 2 : at + 4])[0]
        yield data[at + 1], data[at + 4 : at + 2 + size]
        at += 2 + size


def webp(*extra: bytes, trailer: bytes = b"", icc: bytes = b"", frames: int = 1) -> bytes:
    """A lossless WebP with chunks at its end."""
    file = io.BytesIO()
    more = [Image.fromarray(np.roll(PIXELS, i + 1, 1)) for i in range(frames - 1)]
    Image.fromarray(PIXELS).save(file, "WEBP", lossless=True, icc_profile=icc, save_all=bool(more), append_images=more)
    data = file.getvalue()
    if extra and data[12:16] != b"VP8X":
        size = (WIDTH - 1).to_bytes(3, "little") + (HEIGHT - 1).to_bytes(3, "little")
        data = data[:12] + webp_chunk(b"VP8X", bytes(4) + size) + data[12:]
    flags = sum({b"EXIF": 8, b"XMP ": 4}.get(one[:4], 0) for one in extra)
    data = data[:20] + bytes((data[20] | flags,)) + data[21:] if extra else data
    data += b"".join(extra)
    return data[:4] + struct.pack("<I", len(data) - 8) + data[8:] + trailer


def webp_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def webp_chunks(path: Path) -> dict[bytes, bytes]:
    data, at, found = path.read_bytes(), 12, {}
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    while at < len(data):
        kind, size = struct.unpack("<4sI", data[at : at + 8])
        found[kind] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(data)
    return found


def xmp_packet(properties: str, **namespaces: str) -> bytes:
    """A packet with properties as elements of one description."""
    names = "".join(f' xmlns:{name}="{value}"' for name, value in namespaces.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about=""{names}>{properties}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()
