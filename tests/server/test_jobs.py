"""Jobs over a real websocket, from submit to their end."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from small_bridge import Bridge, Client, GatedEngine, a_job, grey

from bridge.protocol.messages import (
    Ack,
    Cancel,
    Cancelled,
    Condition,
    Error,
    Extent,
    Failed,
    Get,
    Preview,
    Progress,
    Put,
    Queued,
    Rect,
    Result,
    ResultFormat,
    Started,
)


async def _fetch(client: Client, result: Result) -> bytes:
    picture = result.layers[0].picture
    data = b""
    while len(data) < picture.byte_count:
        await client.say(Get(picture.hash, len(data)))
        data += (await client.until(Put)).data
    return data


async def test_a_job_runs_from_submit_to_acknowledged_result(bridge: Bridge) -> None:
    client = await bridge.client()
    data, picture = grey(16, 8)
    await client.store(data, picture)
    await client.say(a_job("one", picture, steps=3))
    result = await client.until(Result)
    kinds = [type(message) for message in client.seen if hasattr(message, "job") and not isinstance(message, Preview)]
    assert kinds == [Queued, Started, Progress, Progress, Progress, Result]
    numbers = [message.event for message in client.seen if hasattr(message, "event")]
    assert numbers == list(range(1, 7))
    assert result.layers[0].recipe.seed < 2**32
    assert result.layers[0].recipe.checkpoint
    layer = await _fetch(client, result)
    assert len(layer) == 16 * 8 * 4
    await client.say(Ack(result.event))
    await client.say(Get(result.layers[0].picture.hash))
    assert (await client.until(Error)).code == "picture_unknown"
