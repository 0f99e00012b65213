"""Texts in PNG files (W3C, third edition, 11.3.3), read and written without touching a pixel."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

__all__ = ["read_texts", "with_texts"]

_SIGNATURE_BYTES = 8
_IHDR_END = _SIGNATURE_BYTES + 8 + 13 + 4
_MOST_BYTES = 1 << 20
"""Most bytes of one text: what is packed tighter may be meant to fill the memory."""


def with_texts(png: bytes, texts: Iterable[tuple[str, str]]) -> bytes:
    """The same picture with texts by keyword: Latin-1 where that holds them, as most readers look there, or UTF-8."""
    chunks = b"".join(_text_chunk(keyword, text) for keyword, text in texts)
    return png[:_IHDR_END] + chunks + png[_IHDR_END:]


def read_texts(png: bytes) -> dict[str, str]:
    """Its texts by keyword. What is damaged or too long is left out."""
    texts: dict[str, str] = {}
    for kind, body in _chunks(png):
        try:
            keyword, text = _read(kind, body)
        except (ValueError, IndexError, zlib.error):
            continue
        if keyword:
            texts[keyword] = text
    return texts


def _text_chunk(keyword: str, text: str) -> bytes:
    name = keyword.encode("latin-1") + b"\0"
    try:
        kind, body = b"tEXt", name + text.encode("latin-1")
    except UnicodeEncodeError:
        # Not compressed, in no particular language.
        kind, body = b"iTXt", name + b"\0\0\0\0" + text.encode()
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _SIGNATURE_BYTES
    while at + 12 + (length := int.from_bytes(png[at : at + 4], "big")) <= len(png):
        kind = png[at + 4 : at + 8]
        yield kind, png[at + 8 : at + 8 + length] if kind in (b"tEXt", b"zTXt", b"iTXt") else b""
        at += 12 + length


def _read(kind: bytes, body: bytes) -> tuple[str, str]:
    name, _, rest = body.partition(b"\0")
    keyword = name.decode("latin-1")
    if kind == b"tEXt":
        return keyword, _short(rest).decode("latin-1")
    if kind == b"zTXt":
        return keyword, _unpacked(rest[1:]).decode("latin-1")
    if kind == b"iTXt":
        packed, rest = rest[:1] == b"\1", rest[2:]
        text = rest.split(b"\0", 2)[2]
        return keyword, (_unpacked(text) if packed else _short(text)).decode()
    return "", ""


def _short(text: bytes) -> bytes:
    if len(text) > _MOST_BYTES:
        raise ValueError("too long")
    return text


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = _short(unpacker.decompress(packed, _MOST_BYTES + 1))
    if not unpacker.eof:
        raise ValueError("cut off")
    return text
