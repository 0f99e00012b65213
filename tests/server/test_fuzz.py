"""Ten thousand random and mutated frames leave the bridge serving, and no answer shows what an exception said."""

from __future__ import annotations

import builtins
import random
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import pytest
from small_bridge import Bridge, Client, a_job, grey
from websockets.exceptions import ConnectionClosed

from bridge.protocol.errors import CODES
from bridge.protocol.messages import (
    PROTOCOL_VERSION,
    Ack,
    Cancel,
    Closing,
    Error,
    Extent,
    Failed,
    Get,
    Hello,
    Offer,
    Plan,
    Put,
    Rect,
    Result,
    ResultFormat,
    Resume,
)
from bridge.protocol.wire import encode

FRAMES = 10_000
_EXCEPTIONS = sorted(
    name for name, thing in vars(builtins).items() if isinstance(thing, type) and issubclass(thing, BaseException)
)
_WORDS = (b"Traceback", b'File "', b".py", b"BridgeError", b"msgpack", *(name.encode() for name in _EXCEPTIONS))


def _seeds(token: str) -> list[bytes]:
    """Right messages of every kind, to be spoilt."""
    data, picture = grey(8, 8)
    messages = (
        Hello(PROTOCOL_VERSION, "fuzz", token),
        Resume("some session", 1),
        Plan(1, Extent(640, 480), Rect(10, 10, 100, 100)),
        Offer((picture,)),
        Put(picture.hash, 0, data),
        Get(picture.hash),
        a_job("fuzz", picture),
        a_job("other", steps=1, result=ResultFormat(previews=False)),
        Cancel("fuzz"),
        Ack(1),
    )
    return [encode(message) for message in messages]


def _mutate(random_: random.Random, frame: bytes) -> bytes:
    """Spoil a frame in one of the ways in which frames get spoilt."""
    # Bytes that are no message end the connection, so most frames are messages with something wrong in them.
    way = random_.choices(range(7), weights=(1, 1, 2, 1, 12, 4, 4))[0]
    if way == 0:
        return random_.randbytes(random_.randrange(1, 200))
    if way == 1:
        return frame[: random_.randrange(len(frame))]
    if way == 2:
        at = random_.randrange(len(frame))
        return frame[:at] + random_.randbytes(random_.randrange(1, 4)) + frame[at + 1 :]
    if way == 3:
        at = random_.randrange(len(frame))
        return frame + frame[:at]
    plain = msgpack.unpackb(frame)
    if way == 4:
        plain[random_.choice(list(plain))] = _anything(random_)
    elif way == 5:
        plain.pop(random_.choice(list(plain)))
    else:
        plain[random_.choice(["extra", "type", "job"])] = _anything(random_)
    return bytes(msgpack.packb(plain))


def _anything(random_: random.Random) -> Any:
    return random_.choice(
        [
            None,
            True,
            0,
            -1,
            2**63,
            1.5,
            float("nan"),
            float("inf"),
            "",
            "fill",
            "\ud7ff\x00\n",
            "x" * 5000,
            b"",
            bytes(5000),
            [],
            [[]] * 50,
            {},
            {"type": "hello"},
            {"width": 1 << 20, "height": 1 << 20},
        ]
    )


def _frames(token: str) -> Iterator[bytes]:
    random_ = random.Random(20260101)
    seeds = _seeds(token)
    for _ in range(FRAMES):
        frame = random_.choice(seeds)
        yield frame if random_.random() < 0.1 else _mutate(random_, frame)


async def _send(client: Client, frame: bytes, marker: str) -> list[Any]:
    """Send a frame and something whose answer is known; all answers up to that one."""
    await client.socket.send(frame)
    await client.say(Get(marker))
    answers = []
    while not (answers and isinstance(answers[-1], Error) and answers[-1].about == marker):
        answers.append(await client.hear())
    return answers


def _check(answers: list[Any]) -> set[str]:
    """The codes among the answers, whose words must be the artist's and not the program's."""
    errors = [answer for answer in answers if isinstance(answer, Error | Failed)]
    for error in errors:
        said = (error.message + error.hint).encode()
        assert not [word for word in _WORDS if word in said], error
    assert not [answer for answer in answers if isinstance(answer, Closing)]
    return {error.code for error in errors}


async def test_ten_thousand_spoilt_frames_leave_the_bridge_serving(
    start: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    bridge: Bridge = await start(resume_seconds=0.0)
    codes: set[str] = set()
    client = await bridge.client()
    closed = 0
    for number, frame in enumerate(_frames(bridge.token)):
        try:
            codes |= _check(await _send(client, frame, f"{number:064}"))
        except ConnectionClosed:
            codes |= _check(client.seen[-1:])
            closed += 1
            client = await bridge.client()
        client.seen.clear()
    assert closed > 100
    assert {"bad_frame", "unknown_type", "unknown_field", "missing_field", "wrong_type", "out_of_range"} <= codes
    assert codes <= set(CODES) - {"internal"}
    assert not [record for record in caplog.records if record.exc_info]
    client = await bridge.client()
    await client.say(a_job("after all"))
    await client.until(Result)


async def test_spoilt_frames_before_hello(start: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    bridge: Bridge = await start()
    codes: set[str] = set()
    for number, frame in enumerate(_frames("a wrong token")):
        if number == 300:
            break
        client = await bridge.open()
        await client.socket.send(frame)
        codes |= _check([await client.hear()])
        await client.socket.close()
    assert {"bad_frame", "unauthorized", "unexpected_message"} <= codes
    assert bridge.engine.order == []
    assert not [record for record in caplog.records if record.exc_info]
    await bridge.client()
