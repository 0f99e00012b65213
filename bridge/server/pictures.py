"""The pictures that a session has uploaded: checked before a byte is taken, held by content hash, within a budget."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from ..protocol.errors import BridgeError
from ..protocol.messages import Offer, Picture, Put
from ..protocol.pixels import Buffer, IncomingPicture, raw_bytes
from .errors import PictureRefused

__all__ = ["PictureStore", "check_picture", "check_pixels"]

_ENCODED_DEPTHS = {"png": ("u8", "u16"), "webp": ("u8",)}
_ENTRY_BYTES = 1024
"""What holding a picture costs besides its bytes; it bounds how many tiny ones fit into a budget."""


def check_pixels(width: int, height: int, *, scale: int, most_pixels: int) -> None:
    """Judge a job by the size of its context, and of what comes back, before anything is allocated.

    Raises:
        BridgeError: ``picture_too_large``.
    """
    if width * height > most_pixels:
        raise BridgeError(
            "picture_too_large",
            "The context has {width} x {height} pixels; the bridge accepts {most} pixels.",
            width=width,
            height=height,
            most=most_pixels,
        )
    if width * height * scale**2 > most_pixels:
        raise BridgeError(
            "picture_too_large",
            "Enlarged {scale} times, this has {width} x {height} pixels; the bridge accepts {most} pixels.",
            "Enlarge fewer times, or select a smaller part and enlarge that.",
            scale=scale,
            width=width * scale,
            height=height * scale,
            most=most_pixels,
        )


def check_picture(picture: Picture, *, most_pixels: int) -> None:
    """Judge a picture by its description, before anything is allocated.

    Raises:
        PictureRefused: ``picture_too_large``; ``out_of_range`` for a form that does not exist; ``picture_mismatch``
            when the bytes cannot be such a picture.
    """
    if picture.width * picture.height > most_pixels:
        raise PictureRefused(
            "picture_too_large",
            picture.hash,
            "The picture has {width} x {height} pixels; the bridge accepts {most} pixels.",
            width=picture.width,
            height=picture.height,
            most=most_pixels,
        )
    if picture.channels == 2:
        raise PictureRefused("out_of_range", picture.hash, "A picture has 1, 3 or 4 channels.")
    if picture.depth not in _ENCODED_DEPTHS.get(picture.encoding, (picture.depth,)):
        raise PictureRefused(
            "out_of_range",
            picture.hash,
            "There is no {encoding} of depth {depth}.",
            encoding=picture.encoding,
            depth=picture.depth,
        )
    raw = raw_bytes(picture.width, picture.height, picture.channels, picture.depth)
    if picture.encoding == "raw" and picture.byte_count != raw:
        raise PictureRefused(
            "picture_mismatch",
            picture.hash,
            "The picture has {size} bytes, but its size asks for {wanted}.",
            size=picture.byte_count,
            wanted=raw,
        )
    # No encoder makes noise much larger than it is; what is may hide anything.
    if picture.byte_count > raw + raw // 8 + (64 << 10):
        raise PictureRefused(
            "picture_mismatch",
            picture.hash,
            "The picture has {size} bytes, more than its size explains.",
            size=picture.byte_count,
        )


class PictureStore:
    """Uploaded pictures and uploads in progress of one session.

    Held pictures are given up, least recently used first, when the budget asks for it; never those that a job has
    pinned. Room is reserved when a picture is wanted, and memory taken as its bytes arrive.
    """

    def __init__(self, *, most_pixels: int, most_bytes: int) -> None:
        self._most_pixels = most_pixels
        self._most_bytes = most_bytes
        self._held: OrderedDict[str, memoryview] = OrderedDict()
        self._incoming: OrderedDict[str, IncomingPicture] = OrderedDict()
        self._pins: dict[str, int] = {}
        self._used = 0

    @property
    def used_bytes(self) -> int:
        """Bytes that are held or reserved."""
        return self._used

    def __contains__(self, picture_hash: str) -> bool:
        return picture_hash in self._held

    def get(self, picture_hash: str) -> Buffer | None:
        """A whole picture's bytes, or None."""
        return self._held.get(picture_hash)

    def offer(self, offer: Offer) -> tuple[str, ...]:
        """Say which of these pictures are wanted, and make room for them.

        Raises:
            PictureRefused: as :func:`check_picture`, and ``upload_budget``. Then nothing of the offer counts.
        """
        described: dict[str, Picture] = {}
        for picture in offer.pictures:
            check_picture(picture, most_pixels=self._most_pixels)
            known = self._byte_count(picture.hash, described)
            if known is not None and known != picture.byte_count:
                raise PictureRefused("picture_mismatch", picture.hash, "The same hash was offered with another length.")
            described.setdefault(picture.hash, picture)
        wanted = [picture for picture in described.values() if picture.hash not in self._held]
        fresh = [picture for picture in wanted if picture.hash not in self._incoming]
        self._make_room(fresh, keep=described)
        for picture in fresh:
            self._incoming[picture.hash] = IncomingPicture(picture)
            self._used += picture.byte_count + _ENTRY_BYTES
        for picture_hash in described:
            if picture_hash in self._held:
                self._held.move_to_end(picture_hash)
            else:
                self._incoming.move_to_end(picture_hash)
        return tuple(picture.hash for picture in wanted)

    def put(self, put: Put) -> bool:
        """Take a part of a wanted picture. A part at 0 begins the upload anew.

        Returns:
            Whether the picture is whole now.

        Raises:
            BridgeError: ``picture_unknown`` for what was not wanted; ``picture_mismatch`` as
                :meth:`~bridge.protocol.pixels.IncomingPicture.add`, after which the picture must be offered again.
        """
        held = self._held.get(put.hash)
        if held is not None:
            # Wanted twice before it arrived: the second time brings nothing new.
            if bytes(held[put.offset : put.offset + len(put.data)]) != put.data:
                raise BridgeError("picture_mismatch", "The bridge holds this picture, with other bytes.")
            return put.offset + len(put.data) == len(held)
        incoming = self._incoming.get(put.hash)
        if incoming is None:
            raise BridgeError("picture_unknown", "The bridge did not ask for this picture.", "Offer it first.")
        if put.offset == 0 and incoming.received:
            incoming = self._incoming[put.hash] = IncomingPicture(incoming.picture)
        try:
            incoming.add(put)
        except BridgeError:
            self._drop_incoming(put.hash)
            raise
        if incoming.complete:
            self._held[put.hash] = incoming.data()
            del self._incoming[put.hash]
        return incoming.complete

    def pin(self, pictures: Iterable[Picture]) -> Mapping[str, Buffer]:
        """Keep these pictures until they are unpinned as often, and return their bytes.

        Raises:
            PictureRefused: ``picture_unknown``; ``picture_mismatch`` for another length than was sent. Then none is
                pinned.
        """
        pictures = list(pictures)
        for picture in pictures:
            if picture.hash not in self._held:
                raise PictureRefused("picture_unknown", picture.hash)
            if len(self._held[picture.hash]) != picture.byte_count:
                raise PictureRefused("picture_mismatch", picture.hash, "The picture was sent with another length.")
        hashes = dict.fromkeys(picture.hash for picture in pictures)
        for picture_hash in hashes:
            self._pins[picture_hash] = self._pins.get(picture_hash, 0) + 1
            self._held.move_to_end(picture_hash)
        return {picture_hash: self._held[picture_hash] for picture_hash in hashes}

    def unpin(self, hashes: Iterable[str]) -> None:
        """A job no longer needs these pictures. They stay until their room is needed."""
        for picture_hash in hashes:
            self._pins[picture_hash] -= 1
            if not self._pins[picture_hash]:
                del self._pins[picture_hash]

    def drop_unused(self) -> int:
        """Give up all whole pictures that no job needs; how many bytes that frees."""
        before = self._used
        for picture_hash in [name for name in self._held if name not in self._pins]:
            self._drop_held(picture_hash)
        return before - self._used

    def drop_incoming(self) -> None:
        """Give up all unfinished uploads: their connection is gone."""
        for picture_hash in list(self._incoming):
            self._drop_incoming(picture_hash)

    def _byte_count(self, picture_hash: str, described: Mapping[str, Picture]) -> int | None:
        if picture_hash in self._held:
            return len(self._held[picture_hash])
        if picture_hash in self._incoming:
            return self._incoming[picture_hash].picture.byte_count
        return described[picture_hash].byte_count if picture_hash in described else None

    def _make_room(self, fresh: list[Picture], *, keep: Mapping[str, Picture]) -> None:
        wanted = sum(picture.byte_count + _ENTRY_BYTES for picture in fresh)
        pinned = {*self._pins, *keep}
        idle = [name for name in self._held if name not in pinned]
        # An upload that was begun and left lies here; it goes only when all idle pictures are not enough.
        stale = [name for name in self._incoming if name not in keep]
        room = self._most_bytes - self._used
        room += sum(len(self._held[name]) + _ENTRY_BYTES for name in idle)
        room += sum(self._incoming[name].picture.byte_count + _ENTRY_BYTES for name in stale)
        if wanted > room:
            asked = sum(picture.byte_count + _ENTRY_BYTES for picture in keep.values())
            if asked <= self._most_bytes:
                # Jobs hold the rest, and let go of it when they end.
                raise PictureRefused("upload_budget", fresh[-1].hash)
            raise PictureRefused(
                "upload_budget",
                fresh[-1].hash,
                "The pictures take {asked} bytes together; the bridge holds {most} for a session.",
                "Select a smaller area, choose a smaller context, or raise `upload_bytes` in the bridge's settings.",
                asked=asked,
                most=self._most_bytes,
            )
        while self._used + wanted > self._most_bytes:
            if idle:
                self._drop_held(idle.pop(0))
            else:
                self._drop_incoming(stale.pop(0))

    def _drop_held(self, picture_hash: str) -> None:
        self._used -= len(self._held.pop(picture_hash)) + _ENTRY_BYTES

    def _drop_incoming(self, picture_hash: str) -> None:
        self._used -= self._incoming.pop(picture_hash).picture.byte_count + _ENTRY_BYTES
