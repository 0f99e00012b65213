"""Results: kept until they are acknowledged, within a budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from small_bridge import Client, a_job

from bridge.protocol.messages import (
    Ack,
    Error,
    Extent,
    Get,
    Put,
    Rect,
    Result,
)


async def _fetch(client: Client, result: Result) -> bytes:
    picture = result.layers[0].picture
    data = b""
    while len(data) < picture.byte_count:
        await client.say(Get(picture.hash, len(data)))
        data += (await client.until(Put)).data
    return data


async def test_a_result_over_the_budget_expires_and_an_acknowledged_one_makes_room(start: Callable[..., Any]) -> None:
    # Each result takes 3/4 of the budget.
    bridge = await start(replay_bytes=1 << 20, library="off")
    client = await bridge.client()
    size: dict[str, Any] = {"canvas": Extent(512, 384), "context": Rect(0, 0, 512, 384)}
    await client.say(a_job("first", seed=1, **size))
    first = await client.until(Result)
    await client.say(Ack(first.event))
    await client.say(a_job("second", seed=2, **size))
    second = await client.until(Result)
    assert len(await _fetch(client, second)) == 512 * 384 * 4
    await client.say(a_job("third", seed=3, **size))
    third = await client.until(Result)
    await client.say(Get(second.layers[0].picture.hash))
    error = await client.until(Error)
    assert (error.code, error.about) == ("result_expired", second.layers[0].picture.hash)
    assert len(await _fetch(client, third)) == 512 * 384 * 4
    session = bridge.server.service.session(client.welcome.session if client.welcome else "")
    assert session.results.used_bytes == 512 * 384 * 4
    await client.say(Ack(third.event))
    await client.say(Get(third.layers[0].picture.hash))
    assert (await client.until(Error)).code == "picture_unknown"
    assert session.results.used_bytes == 0


async def test_two_results_that_share_a_picture_keep_it_until_both_are_done(start: Callable[..., Any]) -> None:
    client = await (await start(library="off")).client()
    await client.say(a_job("one", seed=5))
    one = await client.until(Result)
    await client.say(a_job("two", seed=5))
    two = await client.until(Result)
    assert one.layers[0].picture.hash == two.layers[0].picture.hash
    await client.say(Ack(one.event))
    await _fetch(client, two)
    await client.say(Ack(two.event))
    await client.say(Get(two.layers[0].picture.hash))
    assert (await client.until(Error)).code == "picture_unknown"
