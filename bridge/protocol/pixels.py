"""Pictures as bytes: their size, their hash, and how they are cut into chunks and put together again.

Sans-I/O, and without numpy: what runs inside a host must do with the standard library. Runs on Python 3.9.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Union, cast

from .errors import BridgeError
from .messages import CHUNK_BYTES, Depth, Encoding, Get, Picture, Put

__all__ = ["DEPTH_BYTES", "LEAST_COVERAGE", "Buffer", "IncomingPicture", "chunks", "describe", "raw_bytes", "slice_put"]

Buffer = Union[bytes, bytearray, memoryview]

DEPTH_BYTES: dict[str, int] = {"u8": 1, "u16": 2, "f16": 2, "f32": 4}

LEAST_COVERAGE: dict[str, float] = {"u8": 2, "u16": 512, "f16": 1 / 128, "f32": 1 / 128}
"""By depth: the least number of a mask that counts as selected. What a feather's tail or rounding leaves is less."""


def raw_bytes(width: int, height: int, channels: int, depth: str) -> int:
    """Bytes of raw pixels."""
    return width * height * channels * DEPTH_BYTES[depth]


def describe(
    data: Buffer, *, width: int, height: int, channels: int, depth: str = "u8", encoding: str = "raw"
) -> Picture:
    """Describe a picture that is about to travel. Hashes all of it: keep this off a user interface's thread.

    Raises:
        BridgeError: ``picture_mismatch`` when raw data is not exactly width x height x channels values.
    """
    size = len(memoryview(data).cast("B")) if data else 0
    if encoding == "raw" and size != raw_bytes(width, height, channels, depth):
        raise BridgeError(
            "picture_mismatch",
            "The picture has {size} bytes, but its size asks for {wanted}.",
            size=size,
            wanted=raw_bytes(width, height, channels, depth),
        )
    return Picture(hashlib.sha256(data).hexdigest(), size, width, height, channels, Depth(depth), Encoding(encoding))


def chunks(picture: Picture, data: Buffer) -> Iterator[Put]:
    """The ``put`` messages that carry a picture. Their data are views of the picture's, to be encoded and let go."""
    view = memoryview(data).cast("B")
    for offset in range(0, len(view), CHUNK_BYTES):
        yield Put(picture.hash, offset, cast(bytes, view[offset : offset + CHUNK_BYTES]))


def slice_put(request: Get, data: Buffer) -> Put:
    """The ``put`` that answers a ``get``. Its data are a view, as those of :func:`chunks`.

    Raises:
        BridgeError: ``out_of_range`` when it asks for nothing that is there.
    """
    view = memoryview(data).cast("B")
    part = view[request.offset : request.offset + min(request.length, CHUNK_BYTES)]
    if not part:
        raise BridgeError("out_of_range", "The part lies outside the picture.")
    return Put(request.hash, request.offset, cast(bytes, part))


class IncomingPicture:
    """Puts a picture together from its chunks, hashing as they come.

    Memory is taken as the bytes arrive, never on the word of a description.
    """

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        self._data = bytearray()
        self._hash = hashlib.sha256()

    @property
    def received(self) -> int:
        """Bytes so far."""
        return len(self._data)

    @property
    def complete(self) -> bool:
        return len(self._data) == self.picture.byte_count

    def add(self, put: Put) -> None:
        """Take the next chunk.

        Raises:
            BridgeError: ``picture_mismatch`` for a gap, an overlap, or more than was described; when the last chunk is
                here, for a wrong hash.
        """
        if put.offset != len(self._data):
            raise BridgeError("picture_mismatch", "A part of the picture is missing or came twice.")
        if len(self._data) + len(put.data) > self.picture.byte_count:
            raise BridgeError("picture_mismatch", "The picture is longer than was said.")
        self._data += put.data
        self._hash.update(put.data)
        if self.complete and self._hash.hexdigest() != self.picture.hash:
            raise BridgeError("picture_mismatch", "The picture's hash is not the one that was said.")

    def data(self) -> memoryview:
        """The whole picture.

        Raises:
            BridgeError: ``picture_mismatch`` before the last chunk.
        """
        if not self.complete:
            raise BridgeError("picture_mismatch", "The picture is not complete yet.")
        return memoryview(self._data)
