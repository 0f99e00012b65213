"""Pictures over a connection: hashed once, offered by hash, put and fetched in chunks between which control messages
pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import deque
from collections.abc import Mapping
from typing import Callable

from ..protocol.errors import BridgeError
from ..protocol.messages import CHUNK_BYTES, Get, Offer, Picture, Put
from ..protocol.pixels import Buffer, IncomingPicture, chunks, raw_bytes
from .answers import Disconnected
from .connection import Connection

__all__ = ["Upload", "download", "hash_bytes", "upload"]

_PARTS_IN_FLIGHT = 8

Upload = tuple[Picture, Buffer]


async def hash_bytes(data: Buffer) -> str:
    """SHA-256 in hexadecimal, chunk by chunk, so that the loop serves others in between."""
    digest = hashlib.sha256()
    view = memoryview(data)
    for offset in range(0, len(view), CHUNK_BYTES):
        digest.update(view[offset : offset + CHUNK_BYTES])
        await asyncio.sleep(0)
    return digest.hexdigest()


async def upload(connection: Connection, pictures: Mapping[str, Upload], wanted: Callable[[], bool]) -> bool:
    """Give the bridge the pictures, by hash, that it lacks.

    One upload at a time: an answer to ``offer`` does not say which offer it answers.

    Args:
        wanted: asked between chunks; the upload ends as soon as it says no.

    Returns:
        Whether all of them are at the bridge.

    Raises:
        Disconnected: nothing of a picture that was under way counts.
        BridgeError: the bridge refused one of them.
    """
    if not pictures:
        return wanted()
    offer = Offer(tuple(picture for picture, _ in pictures.values()))
    hashes = (await connection.ask(offer, ("wanted",), *pictures)).hashes
    if not set(hashes) <= set(pictures):
        raise BridgeError("unexpected_message", "The bridge wants a picture that was not offered.")
    with contextlib.ExitStack() as answers:
        stored = [answers.enter_context(connection.answers.expect(("stored", key), key)) for key in hashes]
        for key in hashes:
            for put in chunks(*pictures[key]):
                if not wanted():
                    return False
                for answer in stored:
                    if answer.done():
                        answer.result()  # raises what the bridge has refused meanwhile
                await connection.send(put)
        for answer in stored:
            await answer
    return wanted()


async def download(connection: Connection, picture: Picture) -> memoryview:
    """Fetch a picture of a result, several chunks in flight, and check its hash. Goes on after a lost connection.

    Raises:
        BridgeError: ``result_expired`` when the bridge has dropped it; ``picture_mismatch``; why it has the session no
            more.
        ClientError: there will be no further connection.
    """
    if picture.encoding == "raw" and picture.byte_count != raw_bytes(
        picture.width, picture.height, picture.channels, picture.depth
    ):
        raise BridgeError("picture_mismatch")
    session = connection.session.session
    incoming = IncomingPicture(picture)
    while not incoming.complete:
        await connection.wait_open()
        if connection.session.session != session:
            raise connection.session_error
        try:
            await _fetch(connection, incoming)
        except Disconnected:
            continue
        except BridgeError as error:
            if error.code == "picture_unknown":
                raise BridgeError("result_expired") from error
            raise
    return incoming.data()


async def _fetch(connection: Connection, incoming: IncomingPicture) -> None:
    loop = asyncio.get_running_loop()
    key = incoming.picture.hash
    parts: deque[asyncio.Task[Put]] = deque()
    try:
        for offset in range(incoming.received, incoming.picture.byte_count, CHUNK_BYTES):
            if len(parts) == _PARTS_IN_FLIGHT:
                incoming.add(await parts.popleft())
            parts.append(loop.create_task(connection.ask(Get(key, offset), ("put", key, offset), key)))
        while parts:
            incoming.add(await parts.popleft())
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
