"""Uploads: judged by their description, held by hash, within a budget."""

from __future__ import annotations

import random
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from small_bridge import Bridge, a_job, grey

from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Error, Get, Offer, Picture, Put, Result, Stored, Wanted
from bridge.protocol.pixels import chunks, describe
from bridge.server.pictures import PictureStore, check_picture

MOST_PIXELS = 1 << 24


def _store(most_bytes: int = 1 << 30) -> PictureStore:
    return PictureStore(most_pixels=MOST_PIXELS, most_bytes=most_bytes)


def _fill(store: PictureStore, data: bytes, picture: Picture) -> None:
    for picture_hash in store.offer(Offer((picture,))):
        assert picture_hash == picture.hash
        for put in chunks(picture, data):
            store.put(put)


def _kilobytes(count: int, value: int) -> tuple[bytes, Picture]:
    return grey(1024, count, 1, value)


@pytest.mark.parametrize(
    ("code", "values"),
    [
        ("picture_too_large", {"width": 100_000, "height": 100_000, "byte_count": 40_000_000_000}),
        ("picture_too_large", {"width": 1 << 20, "height": 1 << 20, "byte_count": 100, "encoding": "png"}),
        ("out_of_range", {"channels": 2, "byte_count": 128}),
        ("out_of_range", {"depth": "f32", "encoding": "png"}),
        ("out_of_range", {"depth": "u16", "encoding": "webp"}),
        ("picture_mismatch", {"byte_count": 255}),
        ("picture_mismatch", {"byte_count": 257}),
        ("picture_mismatch", {"encoding": "png", "byte_count": 1 << 20}),
    ],
)
def test_what_cannot_be_is_told_by_its_description(code: str, values: dict[str, Any]) -> None:
    _, picture = grey(8, 8)
    check_picture(picture, most_pixels=MOST_PIXELS)
    with pytest.raises(BridgeError) as error:
        check_picture(replace(picture, **values), most_pixels=MOST_PIXELS)
    assert error.value.code == code


def test_only_what_is_wanted_may_be_put() -> None:
    store = _store()
    data, picture = _kilobytes(2, 1)
    with pytest.raises(BridgeError, match="picture_unknown"):
        store.put(Put(picture.hash, 0, data))
    _fill(store, data, picture)
    assert bytes(store.get(picture.hash) or b"") == data
    assert store.offer(Offer((picture,))) == ()


@pytest.mark.parametrize("case", ["gap", "overlap", "too long", "wrong bytes"])
def test_parts_that_do_not_fit_end_the_upload(case: str) -> None:
    store = _store()
    data, picture = _kilobytes(4, 1)
    store.offer(Offer((picture,)))
    store.put(Put(picture.hash, 0, data[:2048]))
    wrong = {
        "gap": Put(picture.hash, 3072, data[3072:]),
        "overlap": Put(picture.hash, 1024, data[1024:2048]),
        "too long": Put(picture.hash, 2048, data[:3072]),
        "wrong bytes": Put(picture.hash, 2048, bytes(2048)),
    }[case]
    with pytest.raises(BridgeError, match="picture_mismatch"):
        store.put(wrong)
    assert store.used_bytes == 0
    with pytest.raises(BridgeError, match="picture_unknown"):
        store.put(Put(picture.hash, 2048, data[2048:]))
    _fill(store, data, picture)
    assert picture.hash in store


def test_a_part_at_0_begins_anew_and_a_second_copy_is_no_error() -> None:
    store = _store()
    data, picture = _kilobytes(4, 1)
    assert store.offer(Offer((picture,))) == store.offer(Offer((picture, picture))) == (picture.hash,)
    store.put(Put(picture.hash, 0, data[:2048]))
    assert not store.put(Put(picture.hash, 0, data[:1024]))
    assert store.put(Put(picture.hash, 1024, data[1024:]))
    assert not store.put(Put(picture.hash, 0, data[:1024]))
    assert store.put(Put(picture.hash, 1024, data[1024:]))
    with pytest.raises(BridgeError, match="picture_mismatch"):
        store.put(Put(picture.hash, 0, bytes(10)))
    assert store.used_bytes == 4096 + 1024


def test_one_hash_has_one_length() -> None:
    store = _store()
    data, picture = _kilobytes(4, 1)
    other = replace(picture, height=2, byte_count=2048)
    with pytest.raises(BridgeError, match="picture_mismatch"):
        store.offer(Offer((picture, other)))
    assert store.used_bytes == 0
    _fill(store, data, picture)
    with pytest.raises(BridgeError, match="picture_mismatch"):
        store.offer(Offer((other,)))


def test_the_least_recently_used_goes_first_and_what_is_pinned_stays() -> None:
    store = _store(most_bytes=15 << 10)
    pictures = [_kilobytes(4, value) for value in range(1, 4)]
    for data, picture in pictures[:3]:
        _fill(store, data, picture)
    first, second, third = (picture.hash for _, picture in pictures)
    store.offer(Offer((pictures[0][1],)))
    pinned = store.pin([pictures[1][1]])
    _fill(store, *_kilobytes(4, 9))
    assert (first in store, second in store, third in store) == (True, True, False)
    store.unpin(pinned)
    _fill(store, *_kilobytes(4, 10))
    assert (first in store, second in store) == (False, True)
    _fill(store, *_kilobytes(4, 11))
    assert second not in store
    assert store.used_bytes == 3 * (5 << 10)


def test_pinned_pictures_fill_the_budget() -> None:
    store = _store(most_bytes=10 << 10)
    data, picture = _kilobytes(6, 1)
    _fill(store, data, picture)
    twice = [store.pin([picture]), store.pin([picture])]
    with pytest.raises(BridgeError, match="upload_budget"):
        store.offer(Offer((_kilobytes(4, 2)[1],)))
    store.unpin(twice[0])
    with pytest.raises(BridgeError, match="upload_budget"):
        store.offer(Offer((_kilobytes(4, 2)[1],)))
    store.unpin(twice[1])
    _fill(store, *_kilobytes(4, 2))
    assert picture.hash not in store


def test_who_could_wait_for_a_job_is_asked_to_and_others_are_not() -> None:
    store = _store(most_bytes=10 << 10)
    _fill(store, *_kilobytes(6, 1))
    store.pin([_kilobytes(6, 1)[1]])
    with pytest.raises(BridgeError) as waits:
        store.offer(Offer((_kilobytes(4, 2)[1],)))
    with pytest.raises(BridgeError) as never:
        store.offer(Offer((_kilobytes(6, 1)[1], _kilobytes(4, 2)[1])))
    assert "Wait until one of these jobs has ended" in waits.value.hint
    assert "Wait" not in never.value.hint
    assert "12288 bytes" in never.value.message


def test_an_offer_does_not_drive_out_its_own_pictures() -> None:
    store = _store(most_bytes=10 << 10)
    data, picture = _kilobytes(4, 1)
    _fill(store, data, picture)
    assert store.offer(Offer((picture, _kilobytes(4, 2)[1]))) == (_kilobytes(4, 2)[1].hash,)
    with pytest.raises(BridgeError, match="upload_budget"):
        store.offer(Offer((picture, _kilobytes(5, 3)[1])))
    assert picture.hash in store


def test_uploads_that_were_left_make_room() -> None:
    store = _store(most_bytes=10 << 10)
    left = _kilobytes(6, 1)[1]
    store.offer(Offer((left,)))
    data, picture = _kilobytes(6, 2)
    _fill(store, data, picture)
    with pytest.raises(BridgeError, match="picture_unknown"):
        store.put(Put(left.hash, 0, b"x"))
    store.offer(Offer((_kilobytes(1, 3)[1],)))
    store.drop_incoming()
    assert store.used_bytes == 7 << 10


def test_pinning_is_all_or_nothing() -> None:
    store = _store()
    data, picture = _kilobytes(1, 1)
    _fill(store, data, picture)
    with pytest.raises(BridgeError, match="picture_unknown"):
        store.pin([picture, replace(picture, hash="0" * 64)])
    with pytest.raises(BridgeError, match="picture_mismatch"):
        store.pin([picture, replace(picture, height=2, byte_count=2048)])
    store.unpin(store.pin([picture, picture]))


def test_tiny_pictures_count_more_than_their_bytes() -> None:
    store = _store(most_bytes=1 << 20)
    for number in range(2000):
        data = number.to_bytes(4, "little")
        _fill(store, data, describe(data, width=1, height=1, channels=4))
    assert store.used_bytes <= 1 << 20


# ---------------------------------------------------------------- over a real websocket


async def test_an_enormous_picture_is_refused_before_anything_is_allocated(bridge: Bridge) -> None:
    client = await bridge.client()
    enormous = Picture("0" * 64, 40_000_000_000, 100_000, 100_000, 4)
    # Anything that the connection itself needs is made by now.
    await client.say(Offer((enormous,)))
    await client.until(Error)
    tracemalloc.start()
    try:
        await client.say(Offer((enormous,)))
        offered = await client.until(Error)
        await client.say(Put("0" * 64, 0, b"x"))
        put = await client.until(Error)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (offered.code, offered.about) == ("picture_too_large", "0" * 64)
    assert put.code == "picture_unknown"
    assert peak < 1 << 20


async def test_a_picture_of_many_chunks_travels_there_and_back(bridge: Bridge) -> None:
    client = await bridge.client()
    data = random.Random(0).randbytes(1100 * 1000 * 3)
    picture = describe(data, width=1100, height=1000, channels=3)
    await client.say(Offer((picture,)))
    assert (await client.until(Wanted)).hashes == (picture.hash,)
    for put in chunks(picture, data):
        await client.say(put)
    assert (await client.until(Stored)).hash == picture.hash
    back = b""
    while len(back) < len(data):
        await client.say(Get(picture.hash, len(back)))
        back += (await client.until(Put)).data
    assert back == data
    await client.say(Get(picture.hash, len(data)))
    assert (await client.until(Error)).code == "out_of_range"
    await client.say(Offer((picture,)))
    assert (await client.until(Wanted)).hashes == ()
    await client.say(a_job("one", picture))
    await client.until(Result)


async def test_a_broken_upload_is_refused_and_the_connection_goes_on(bridge: Bridge) -> None:
    client = await bridge.client()
    data, picture = grey(64, 64)
    await client.say(Offer((picture,)))
    await client.until(Wanted)
    await client.say(Put(picture.hash, 10, data[10:20]))
    error = await client.until(Error)
    assert (error.code, error.about) == ("picture_mismatch", picture.hash)
    await client.store(data, picture)


async def test_a_session_does_not_see_the_pictures_of_another(bridge: Bridge) -> None:
    one, two = await bridge.client(), await bridge.client()
    data, picture = grey(8, 8)
    await one.store(data, picture)
    await two.say(Get(picture.hash))
    assert (await two.until(Error)).code == "picture_unknown"
    await two.say(Offer((picture,)))
    assert (await two.until(Wanted)).hashes == (picture.hash,)
