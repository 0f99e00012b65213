"""Any order of right and wrong messages from several clients leaves true what the bridge promises of its jobs."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from small_bridge import Bridge, Client, GatedEngine, a_job, write_outline

from bridge.protocol.messages import (
    Ack,
    Cancel,
    Cancelled,
    Error,
    Failed,
    Get,
    JobEvent,
    Preview,
    Progress,
    Queued,
    Result,
    Resume,
    Resumed,
    Started,
    Submit,
)
from bridge.protocol.session import TERMINAL_EVENTS, JobStates
from bridge.server.app import BridgeServer
from bridge.server.settings import Settings

CLIENTS = 2
PATIENCE = 60.0
JOBS = ("a", "b", "c")
SCRIPTS = ("paint", "paint", "fail", "break")
EVENTS = (Queued, Started, Progress, Result, Failed, Cancelled)

who = st.integers(0, CLIENTS - 1)
job = st.sampled_from(JOBS)
actions = st.one_of(
    *[st.tuples(st.just("submit"), who, job, st.sampled_from(SCRIPTS))] * 3,
    st.tuples(st.just("cancel"), who, job),
    st.tuples(st.just("drop"), who),
    st.tuples(st.just("acknowledge"), who),
    st.tuples(st.just("wrong"), who, st.sampled_from(("strength", "checkpoint", "picture", "kind"))),
    st.tuples(st.just("work"), st.integers(1, 4)),
)


@dataclass
class Artist:
    """A client that resumes its session whenever its connection was lost, and remembers all that it was told."""

    bridge: Bridge
    client: Client | None = None
    session: str = ""
    last: int = 0
    events: list[JobEvent] = field(default_factory=list)
    submitted: Counter[str] = field(default_factory=Counter)
    cancelled: set[str] = field(default_factory=set)
    states: JobStates = field(default_factory=JobStates)
    refused: Counter[str] = field(default_factory=Counter)
    on_their_way: Counter[str] = field(default_factory=Counter)
    perhaps_lost: Counter[str] = field(default_factory=Counter)
    markers: int = 0

    async def come(self) -> Client:
        """Connect, or stay."""
        if self.client is None:
            self.client = await self.bridge.client()
            assert self.client.welcome is not None
            if self.session:
                await self.client.say(Resume(self.session, self.last))
                assert (await self._until(Resumed)).session == self.session
            else:
                self.session = self.client.welcome.session
        return self.client

    async def drop(self) -> None:
        """The connection is cut, whatever is on its way."""
        if self.client is not None and self.session:
            session = self.bridge.server.service.session(self.session)
            self.client.socket.transport.abort()
            while session.outbox is not None:
                await asyncio.sleep(0)
            self.client = None
            self.perhaps_lost += self.on_their_way
            self.on_their_way.clear()

    async def order(self, submit: Submit) -> None:
        """Submit a job."""
        client = await self.come()
        self.submitted[submit.job] += 1
        self.on_their_way[submit.job] += 1
        await client.say(submit)

    async def settle(self) -> None:
        """Hear all that the bridge has said so far: a question whose answer is known comes back after it."""
        client = await self.come()
        self.markers += 1
        marker = f"{self.markers:064x}"
        await client.say(Get(marker))
        await self._until(Error, lambda error: error.about == marker)
        self.on_their_way.clear()

    async def _until(self, kind: type[Any], condition: Any = lambda _: True) -> Any:
        assert self.client is not None
        while True:
            message = await self.client.hear()
            self._take(message)
            if isinstance(message, kind) and condition(message):
                return message

    def _take(self, message: Any) -> None:
        """Hold each event against what may follow what."""
        if isinstance(message, EVENTS):
            assert message.event == self.last + 1, "numbered without a gap, and none twice"
            assert message.job in self.submitted, "no event of a stranger's job"
            self.last = message.event
            if isinstance(message, Queued):
                assert message.position >= 0
            if message.job not in self.states.open_jobs():
                self.states.begin(message.job)
            self.states.advance(message)
            self.events.append(message)
            if isinstance(message, TERMINAL_EVENTS):
                self.states.forget(message.job)
        elif isinstance(message, Preview):
            assert message.job in self.submitted
        elif isinstance(message, Error):
            # A cancel of what has ended refuses no job.
            self.refused[message.about] += message.code != "job_unknown"


@contextlib.asynccontextmanager
async def running(home: Path) -> Any:
    """A bridge whose engine takes a step whenever it is told to."""
    write_outline(home / "models" / "outline")
    engine = GatedEngine()
    engine.gate.clear()
    server = BridgeServer(Settings(port=0, default_checkpoint="outline"), home=home, engine=engine)
    ready = asyncio.Event()
    task = asyncio.create_task(server.run(lambda _: ready.set()))
    await ready.wait()
    async with contextlib.AsyncExitStack() as stack:
        yield Bridge(server, engine, stack, task)
        engine.gate.set()
        server.stop()
        await task


async def act(bridge: Bridge, artists: list[Artist], action: tuple[Any, ...]) -> None:
    kind, *rest = action
    if kind == "work":
        bridge.engine.gate.set()
        for _ in range(rest[0] * 5):
            await asyncio.sleep(0)
        bridge.engine.gate.clear()
        return
    artist = artists[rest[0]]
    if kind == "drop":
        await artist.drop()
        return
    client = await artist.come()
    if kind == "submit":
        name, script = rest[1:]
        await artist.order(a_job(name, prompt=script, steps=3))
    elif kind == "cancel":
        artist.cancelled.add(rest[1])
        await client.say(Cancel(rest[1]))
    elif kind == "acknowledge":
        await artist.settle()
        if artist.last:
            await client.say(Ack(artist.last))
    else:
        wrong = {
            "strength": {"strength": 0.5, "checkpoint": "nowhere"},
            "checkpoint": {"checkpoint": "nowhere"},
            "picture": {"kind": "refine"},
            "kind": {"kind": "upscale", "scale": 1},
        }[rest[1]]
        await artist.order(a_job("wrong", **wrong))


async def play(script: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder)) as bridge:
            artists = [Artist(bridge) for _ in range(CLIENTS)]
            for action in script:
                await act(bridge, artists, action)
            bridge.engine.gate.set()
            async with asyncio.timeout(PATIENCE):
                for artist in artists:
                    await artist.settle()
                    while artist.states.open_jobs():
                        await artist.settle()
            check(artists)


def check(artists: list[Artist]) -> None:
    for artist in artists:
        ends = Counter(event.job for event in artist.events if isinstance(event, TERMINAL_EVENTS))
        for name, count in artist.submitted.items():
            told = ends[name] + artist.refused[name] + artist.perhaps_lost[name]
            assert told >= count, "each ends, or was refused"
            assert ends[name] <= count, "and once"
        for event in artist.events:
            if isinstance(event, Cancelled):
                assert event.job in artist.cancelled, "a cancel touches one job"


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.lists(actions, min_size=10, max_size=40))
def test_each_job_ends_once_whatever_its_artists_do(script: list[tuple[Any, ...]]) -> None:
    asyncio.run(play(script))
