"""The library over the wire, and what a bridge that is killed leaves in it."""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_bridge import Bridge, Client, GatedEngine, a_job

from bridge.protocol.messages import (
    Ack,
    Browse,
    Browsed,
    Document,
    Error,
    Failed,
    Forget,
    Get,
    KeepDocument,
    Mark,
    Noted,
    Put,
    Result,
    Started,
)

DOCUMENT = Document("doc-1", "Harbour.kra")


async def browse(client: Client, **asked: Any) -> Browsed:
    await client.say(Browse(7, **asked))
    found = await client.until(Browsed)
    assert found.request == 7
    return found


async def result_of(client: Client, job: str, **values: Any) -> Result:
    await client.say(a_job(job, **values))
    return await client.until(Result)


async def test_a_result_outlasts_its_acknowledgement_and_its_session(bridge: Bridge) -> None:
    client = await bridge.client()
    result = await result_of(client, "one", prompt="a boat", batch=2, document=DOCUMENT)
    await client.say(Get(result.layers[0].picture.hash))
    pixels = bytes((await client.until(Put)).data)
    await client.say(Ack(result.event))
    other = await bridge.client()
    found = (await browse(other, text="boat")).entries
    assert tuple(entry.id for entry in reversed(found)) == result.entries
    assert [entry.layer for entry in reversed(found)] == list(result.layers)
    assert {(entry.document, entry.client) for entry in found} == {(DOCUMENT, "test 1.0")}
    await other.say(Get(result.layers[0].picture.hash))
    assert bytes((await other.until(Put)).data) == pixels


async def test_entries_are_marked_forgotten_and_refused(bridge: Bridge) -> None:
    client = await bridge.client()
    result = await result_of(client, "one")
    (name,) = result.entries
    await client.say(Mark(1, name, starred=True, applied=True))
    assert (await client.until(Noted)).request == 1
    (entry,) = (await browse(client, starred=True)).entries
    assert (entry.id, entry.applied) == (name, True)
    await client.say(Forget(2, (name,)))
    assert (await client.until(Noted)).request == 2
    await client.say(Mark(3, name, starred=False))
    error = await client.until(Error)
    assert (error.code, error.about) == ("entry_unknown", "3")
    await client.say(KeepDocument(4, DOCUMENT.id, False))
    await client.until(Noted)
    assert (await result_of(client, "two", document=DOCUMENT)).entries == ()
    assert (await browse(client)).entries == ()


async def test_off_means_that_nothing_is_written(start: Callable[..., Any], tmp_path: Path) -> None:
    bridge = await start(home=tmp_path / "home", library="off")
    client = await bridge.client()
    result = await result_of(client, "one")
    assert (result.entries, result.hints) == ((), ())
    await client.say(Browse(1))
    assert (await client.until(Error)).code == "library_unavailable"
    assert not (tmp_path / "home" / "library").exists()


async def test_a_full_disk_is_told_with_the_result_which_is_not_lost(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await bridge.client()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("bridge.library.store.write_picture", full)
    result = await result_of(client, "one")
    assert result.entries == ()
    assert "not kept in the library" in result.hints[-1]
    assert "No space left on device" in result.hints[-1]
    await client.say(Get(result.layers[0].picture.hash))
    await client.until(Put)
    assert (await browse(client)).entries == ()


async def test_jobs_that_the_bridges_end_has_ended_are_offered_by_the_next_one(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    engine = GatedEngine()
    first = await start(engine, home=tmp_path / "home")
    client = await first.client()
    kept = await result_of(client, "done", prompt="a boat")
    engine.gate.clear()
    await client.say(a_job("runs", prompt="a lamp", document=DOCUMENT))
    await client.until(Started, lambda event: event.job == "runs")
    await client.say(a_job("waits", prompt="a fish"))
    await client.say(Browse(7))
    # Those of this bridge may still end.
    assert [entry.id for entry in (await client.until(Browsed)).entries] == list(kept.entries)
    first.server.stop()
    await client.until(Failed)
    await first.running
    second = await start(home=tmp_path / "home")
    client = await second.client()
    offered = (await browse(client, unfinished=True)).entries
    assert [entry.unfinished.settings.conditioning.prompt for entry in offered if entry.unfinished] == [
        "a fish",
        "a lamp",
    ]
    assert all(entry.unfinished and entry.unfinished.settings.sampling.seed is not None for entry in offered)
    assert offered[1].document == DOCUMENT
    await client.say(Forget(1, tuple(entry.id for entry in offered)))
    await client.until(Noted)
    assert [entry.id for entry in (await browse(client)).entries] == list(kept.entries)


async def test_the_home_keeps_it_private(bridge: Bridge) -> None:
    client = await bridge.client()
    await result_of(client, "one", prompt="a secret")
    folder = bridge.server.runtime.path.parent / "library"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}
