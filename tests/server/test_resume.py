"""Sessions over sockets that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from small_bridge import Bridge, Client, a_job, grey
from websockets.exceptions import ConnectionClosed

from bridge.protocol.messages import (
    Ack,
    Cancelled,
    Closing,
    Error,
    Extent,
    Get,
    Offer,
    Plan,
    Planned,
    Progress,
    Put,
    Queued,
    Rect,
    Result,
    Resume,
    Resumed,
    Started,
    Wanted,
)
from bridge.protocol.session import ClientSession
from bridge.protocol.wire import encode


async def _back(bridge: Bridge, lost: Client, last_event: int) -> Client:
    """A new connection that resumes the session of a lost one."""
    client = await bridge.client()
    assert lost.welcome is not None
    await client.say(Resume(lost.welcome.session, last_event))
    return client


def _events(client: Client) -> list[Any]:
    return [message for message in client.seen if hasattr(message, "event")]


async def _gone(bridge: Bridge, client: Client) -> Any:
    """Cut the socket, and wait until the bridge has noticed."""
    assert client.welcome is not None
    session = bridge.server.service.session(client.welcome.session)
    client.socket.transport.abort()
    while session.outbox is not None:
        await asyncio.sleep(0)
    return session


async def test_resume_delivers_every_event_exactly_once_with_the_result(bridge: Bridge) -> None:
    client = await bridge.client()
    bridge.engine.gate.clear()
    await client.say(a_job("one", steps=6))
    await client.until(Started)
    bridge.engine.gate.set()
    seen = await client.until(Progress, lambda event: event.step == 2)
    session = await _gone(bridge, client)
    while session.jobs:
        await asyncio.sleep(0)
    # Some events had been sent and never arrived, some came later: both follow.
    back = await _back(bridge, client, seen.event)
    resumed = await back.until(Resumed)
    result = await back.until(Result)
    assert resumed.replayed == len(_events(back)) == 5
    assert [event.event for event in _events(back)] == list(range(seen.event + 1, result.event + 1))
    assert [event.step for event in _events(back)[:-1]] == [3, 4, 5, 6]
    await back.say(Get(result.layers[0].picture.hash))
    assert len((await back.until(Put)).data) == 8 * 8 * 4
    await back.say(Ack(result.event))
    await back.say(a_job("one"))
    assert (await back.until(Queued)).event == result.event + 1


async def test_a_sans_io_client_agrees_over_a_cut(bridge: Bridge) -> None:
    """The other half of the protocol, driven by hand: no gap, nothing twice."""
    view = ClientSession(client="test")
    bridge.engine.gate.clear()
    results = []
    for attempt in range(2):
        client = await bridge.open()
        await client.socket.send(encode(view.connect(bridge.token)))
        while True:
            frame = await asyncio.wait_for(client.socket.recv(), 10)
            assert isinstance(frame, bytes)
            message, answer = view.receive(frame)
            if answer is not None:
                await client.socket.send(encode(answer))
            elif view.open and attempt == 0 and not view.open_jobs():
                await client.socket.send(encode(view.submit(a_job("one", steps=4))))
            if isinstance(message, Started | Result):
                results.append(message)
                break
        client.socket.transport.abort()
        view.disconnected()
        bridge.engine.gate.set()
    assert isinstance(results[1], Result)
    assert view.last_event == 7


async def test_jobs_that_die_with_the_connection_and_jobs_that_live_on(bridge: Bridge) -> None:
    client = await bridge.client()
    bridge.engine.gate.clear()
    await client.say(a_job("dies", steps=40, on_disconnect="cancel"))
    await client.say(a_job("waits and dies", on_disconnect="cancel"))
    await client.say(a_job("lives", on_disconnect="keep"))
    last = await client.until(Queued, lambda event: event.job == "lives")
    await _gone(bridge, client)
    bridge.engine.gate.set()
    back = await _back(bridge, client, last.event)
    result = await back.until(Result)
    assert result.job == "lives"
    ends = [event.job for event in _events(back) if isinstance(event, Cancelled)]
    assert sorted(ends) == ["dies", "waits and dies"]
    assert bridge.engine.order == ["dies", "lives"]
    assert bridge.engine.steps.get("dies", 0) <= 1


async def test_another_connection_takes_over_and_the_old_one_is_closed(bridge: Bridge) -> None:
    old = await bridge.client()
    bridge.engine.gate.clear()
    await old.say(a_job("one", on_disconnect="cancel"))
    started = await old.until(Started)
    new = await _back(bridge, old, started.event)
    assert (await new.until(Resumed)).replayed == 0
    assert isinstance(await old.hear(), Closing)
    with pytest.raises(ConnectionClosed):
        await old.hear()
    bridge.engine.gate.set()
    # The job was not lost with the old connection: the session never was without one.
    assert (await new.until(Result)).job == "one"


async def test_resume_of_an_unknown_session_leaves_the_fresh_one(bridge: Bridge) -> None:
    client = await bridge.client()
    await client.say(Resume("nobody's", 3))
    error = await client.until(Error)
    assert (error.code, error.about) == ("session_unknown", "nobody's")
    await client.say(a_job("one"))
    assert (await client.until(Result)).event > 1


async def test_resume_from_where_nobody_was_is_refused(bridge: Bridge) -> None:
    client = await bridge.client()
    await client.say(a_job("one"))
    result = await client.until(Result)
    await client.say(Ack(result.event))
    await client.say(Get("0" * 64))
    await client.until(Error)
    for number in (result.event + 1, result.event - 1):
        other = await _back(bridge, client, number)
        assert (await other.until(Error)).code == "out_of_range"
    # The session was not taken from its connection by that.
    await client.say(a_job("two"))
    await client.until(Result)


async def test_after_its_time_a_session_is_forgotten_and_its_jobs_cancelled(start: Callable[..., Any]) -> None:
    bridge = await start(resume_seconds=0.05)
    client = await bridge.client()
    bridge.engine.gate.clear()
    await client.say(a_job("long", steps=1000, on_disconnect="keep"))
    await client.until(Started)
    session = await _gone(bridge, client)
    while session.jobs:
        await asyncio.sleep(0.01)
    assert bridge.engine.steps.get("long", 0) == 0
    late = await _back(bridge, client, 0)
    error = await late.until(Error)
    assert error.code == "session_dropped"
    assert error.message.endswith("Jobs lost with it: 1.")


async def test_unfinished_uploads_end_with_their_connection(bridge: Bridge) -> None:
    client = await bridge.client()
    data, picture = grey(64, 64)
    await client.say(Offer((picture,)))
    await client.until(Wanted)
    await client.say(Put(picture.hash, 0, data[:100]))
    await client.say(Get(picture.hash))
    await client.until(Error)
    session = await _gone(bridge, client)
    assert session.pictures.used_bytes == 0
    back = await _back(bridge, client, 0)
    await back.store(data, picture)


async def _leaves(bridge: Bridge, *jobs: str, **values: Any) -> Client:
    """A client that has jobs painted, and goes without acknowledging any."""
    client = await bridge.client()
    for job in jobs:
        await client.say(a_job(job, **values))
        await client.until(Result)
    await client.say(Plan(1, Extent(8, 8)))
    await client.until(Planned)
    await _gone(bridge, client)
    return client


async def _why_gone(bridge: Bridge, client: Client) -> Error:
    back = await _back(bridge, client, 0)
    error = await back.until(Error)
    assert client.welcome is not None
    assert error.about == client.welcome.session
    # The fresh session is one to go on with.
    await back.say(Plan(2, Extent(8, 8)))
    await back.until(Planned)
    await back.socket.close()
    return error


async def test_clients_that_leave_without_acknowledging_lock_nobody_out(bridge: Bridge) -> None:
    left = [await _leaves(bridge, f"{number}") for number in range(18)]
    newcomer = await bridge.client()
    await newcomer.say(a_job("new"))
    result = await newcomer.until(Result)
    await newcomer.say(Ack(result.event))
    # Who left last finds everything; who left first hears what became of it.
    for client in reversed(left[2:]):
        back = await _back(bridge, client, 0)
        assert (await back.until(Result)).job == f"{left.index(client)}"
        await back.say(Get("0" * 64))
        await back.until(Error)
        await back.socket.close()
    error = await _why_gone(bridge, left[0])
    assert error.code == "session_dropped"
    assert "needed the room" in error.message
    assert error.message.endswith("Jobs lost with it: 1.")
    assert error.hint == "Send the lost jobs again."


async def test_who_has_nothing_to_lose_gives_way_first(start: Callable[..., Any]) -> None:
    bridge = await start(kept_sessions=2)
    keeper = await _leaves(bridge, "one")
    idle = [await _leaves(bridge) for _ in range(3)]
    back = await _back(bridge, keeper, 0)
    await back.until(Result)
    assert (await _why_gone(bridge, idle[0])).message.endswith("Jobs lost with it: 0.")


async def test_those_who_are_away_hold_no_more_bytes_than_they_may(start: Callable[..., Any]) -> None:
    # Each result takes 3/4 of the budget, each upload a fifth.
    bridge = await start(kept_bytes=1 << 20)
    size: dict[str, Any] = {"canvas": Extent(512, 384), "context": Rect(0, 0, 512, 384)}
    uploader = await bridge.client()
    data, picture = grey(256, 208)
    await uploader.store(data, picture)
    kept = await _gone(bridge, uploader)
    first = await _leaves(bridge, "first", **size)
    assert kept.pictures.used_bytes > 0
    second = await _leaves(bridge, "second", **size)
    # Uploads go before results, and whoever has nothing else loses nothing.
    assert kept.pictures.used_bytes == 0
    assert (await _why_gone(bridge, first)).code == "session_dropped"
    back = await _back(bridge, second, 0)
    result = await back.until(Result)
    await back.say(Get(result.layers[0].picture.hash))
    await back.until(Put)
    resumed = await _back(bridge, uploader, 0)
    await resumed.until(Resumed)
    await resumed.store(data, picture)


async def test_the_last_to_leave_is_kept_whatever_it_holds(start: Callable[..., Any]) -> None:
    bridge = await start(kept_bytes=1 << 20)
    size: dict[str, Any] = {"canvas": Extent(1024, 512), "context": Rect(0, 0, 1024, 512)}
    client = await _leaves(bridge, "large", **size)
    await (await _back(bridge, client, 0)).until(Result)


async def test_a_job_that_goes_on_keeps_its_session_and_its_end_counts(start: Callable[..., Any]) -> None:
    bridge = await start(kept_sessions=1)
    painter = await bridge.client()
    bridge.engine.gate.clear()
    await painter.say(a_job("long", on_disconnect="keep"))
    await painter.until(Started)
    session = await _gone(bridge, painter)
    others = [await _leaves(bridge) for _ in range(2)]
    assert (await _why_gone(bridge, others[0])).code == "session_dropped"
    bridge.engine.gate.set()
    while session.jobs:
        await asyncio.sleep(0)
    # It has just become quiet, so the one that was so before gives way to it.
    assert (await _why_gone(bridge, others[1])).code == "session_dropped"
    assert (await (await _back(bridge, painter, 0)).until(Result)).job == "long"


async def test_a_session_whose_time_is_over_says_so(start: Callable[..., Any]) -> None:
    bridge = await start(resume_seconds=0.05)
    client = await _leaves(bridge, "one")
    sessions = bridge.server.service._sessions
    while client.welcome and client.welcome.session in sessions:
        await asyncio.sleep(0.01)
    error = await _why_gone(bridge, client)
    assert error.code == "session_dropped"
    assert error.message == (
        "The client of this session was away for more than 0.05 seconds, so the bridge gave it up. "
        "Jobs lost with it: 1."
    )


async def test_a_greeting_alone_is_no_session_to_keep(start: Callable[..., Any]) -> None:
    bridge = await start(kept_sessions=1)
    keeper = await _leaves(bridge)
    for _ in range(3):
        await _gone(bridge, await bridge.client())
    await (await _back(bridge, keeper, 0)).until(Resumed)


async def test_who_asks_for_much_and_reads_nothing_is_not_read_from_and_then_left(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.server.connection.STALLED_SECONDS", 0.3)
    client = await bridge.open(max_queue=1)
    welcome = await client.greet(bridge.token)
    data, picture = grey(512, 512)
    await client.store(data, picture)
    session = bridge.server.service.session(welcome.session)
    outbox = session.outbox
    assert outbox is not None
    asked = 0
    most = 0
    while session.outbox is not None:
        if asked < 100:
            await client.say(Get(picture.hash))
            asked += 1
        await asyncio.sleep(0)
        most = max(most, outbox.waiting_bytes)
    assert asked == 100
    assert most < 4 << 20
    back = await _back(bridge, client, 0)
    await back.until(Resumed)
