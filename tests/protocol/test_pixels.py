"""Pictures as bytes."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace

import pytest

from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import CHUNK_BYTES, Depth, Get, Put
from bridge.protocol.pixels import DEPTH_BYTES, IncomingPicture, chunks, describe, raw_bytes, slice_put

DATA = random.Random(6).randbytes(1024 * 600 * 4)  # two chunks and a part


def described():
    return describe(DATA, width=1024, height=600, channels=4)


def test_a_picture_is_named_by_what_travels():
    picture = described()
    assert picture.hash == hashlib.sha256(DATA).hexdigest()
    assert (picture.byte_count, picture.depth, picture.encoding) == (len(DATA), "u8", "raw")
    assert describe(memoryview(DATA), width=1024, height=600, channels=4) == picture
    assert describe(bytearray(DATA), width=1024, height=600, channels=4) == picture


def test_raw_pixels_fill_their_picture():
    assert {depth: raw_bytes(3, 2, 4, depth) for depth in Depth} == {"u8": 24, "u16": 48, "f16": 48, "f32": 96}
    assert set(DEPTH_BYTES) == set(Depth)
    for size in (0, 23, 25):
        with pytest.raises(BridgeError) as caught:
            describe(bytes(size), width=3, height=2, channels=4)
        assert caught.value.code == "picture_mismatch"
    assert describe(bytes(23), width=3, height=2, channels=4, encoding="png").byte_count == 23


def test_chunks_carry_it_and_put_it_together_again():
    picture = described()
    parts = list(chunks(picture, DATA))
    assert [(part.offset, len(part.data)) for part in parts] == [
        (0, CHUNK_BYTES),
        (CHUNK_BYTES, CHUNK_BYTES),
        (2 * CHUNK_BYTES, len(DATA) - 2 * CHUNK_BYTES),
    ]
    incoming = IncomingPicture(picture)
    for count, part in enumerate(parts):
        assert (incoming.received, incoming.complete) == (count * CHUNK_BYTES, False)
        with pytest.raises(BridgeError, match="not complete"):
            incoming.data()
        incoming.add(part)
    assert incoming.complete
    assert bytes(incoming.data()) == DATA


def test_memory_is_taken_as_the_bytes_arrive():
    huge = replace(described(), byte_count=1 << 40)
    incoming = IncomingPicture(huge)
    incoming.add(Put(huge.hash, 0, b"few"))
    assert (incoming.received, incoming.complete) == (3, False)


@pytest.mark.parametrize(
    ("offset", "size", "words"),
    [(1, 10, "missing or came twice"), (0, CHUNK_BYTES, None), (100, 10, "missing or came twice"), (0, 11, None)],
)
def test_gaps_and_overlaps_are_refused(offset, size, words):
    picture = described()
    incoming = IncomingPicture(picture)
    if words is None:
        incoming.add(Put(picture.hash, 0, DATA[:size]))
        words = "missing or came twice"
    with pytest.raises(BridgeError, match=words) as caught:
        incoming.add(Put(picture.hash, offset, DATA[:size]))
    assert caught.value.code == "picture_mismatch"


def test_more_than_was_said_is_refused():
    picture = describe(DATA[:24], width=3, height=2, channels=4)
    with pytest.raises(BridgeError, match="longer"):
        IncomingPicture(picture).add(Put(picture.hash, 0, DATA[:25]))


def test_other_bytes_than_were_said_are_refused():
    picture = describe(DATA[:24], width=3, height=2, channels=4)
    incoming = IncomingPicture(picture)
    incoming.add(Put(picture.hash, 0, DATA[:20]))
    with pytest.raises(BridgeError, match="hash"):
        incoming.add(Put(picture.hash, 20, b"four"))


def test_a_get_is_answered_by_what_is_there():
    assert slice_put(Get("h", 5, 10), DATA) == Put("h", 5, DATA[5:15])
    assert slice_put(Get("h", len(DATA) - 3), DATA) == Put("h", len(DATA) - 3, DATA[-3:])
    assert len(slice_put(Get("h", 0, 1 << 40), DATA).data) == CHUNK_BYTES
    for offset in (len(DATA), len(DATA) + 5):
        with pytest.raises(BridgeError) as caught:
            slice_put(Get("h", offset), DATA)
        assert caught.value.code == "out_of_range"
