"""A pull behind the engine's port: a stream of events, cancelled by name, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from small_hub import SmallHub, serve_hub
from tiny_checkpoints import build_tiny_sd1

from bridge.engine.local_inventory import LocalInventory
from bridge.engine.port import PullEvent, PullFailed, PullFinished, PullProgress
from bridge.models import RECOMMENDED
from bridge.protocol.errors import BridgeError

NAME, OTHER = RECOMMENDED[0].hub_id, RECOMMENDED[1].hub_id
FOLDER = NAME.partition("/")[2]
UNET = "unet/diffusion_pytorch_model.safetensors"
HELD = 100_000
PATIENCE = 60.0


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_sd1(tmp_path_factory.mktemp("tiny") / "tiny", inpaint=True)


@pytest.fixture
def hub(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path))
    with serve_hub(SmallHub(NAME, tiny)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[LocalInventory]:
    found = LocalInventory()
    try:
        async with asyncio.timeout(PATIENCE):
            yield found
    finally:
        await found.close()


async def in_the_middle(events: AsyncIterator[PullEvent]) -> None:
    async for event in events:
        if isinstance(event, PullProgress) and event.done >= HELD:
            return


async def test_the_stream_ends_with_the_name_that_the_checkpoint_is_listed_by(hub: SmallHub) -> None:
    async with opened() as found:
        events = [event async for event in found.pull(NAME)]
        assert events[0] == PullProgress(0, 0)
        assert events[-1] == PullFinished(FOLDER)
        total = sum(map(len, hub.files.values()))
        assert events[-2] == PullProgress(total, total)
        (inventory,) = await found.inventory()
        assert inventory.checkpoint(FOLDER).inpaint
        assert {entry.checkpoint for entry in inventory.recommended} == {FOLDER, None}


async def test_only_what_is_recommended_and_one_at_a_time(hub: SmallHub) -> None:
    hub.held[UNET] = HELD
    async with opened() as found:
        with pytest.raises(BridgeError, match="pull_unknown"):
            await anext(found.pull("somebody/else"))
        with pytest.raises(BridgeError, match="pull_unknown"):
            found.stop_pull(NAME)
        events = found.pull(NAME)
        await in_the_middle(events)
        for name in (NAME, OTHER):
            with pytest.raises(BridgeError, match="pull_busy"):
                await anext(found.pull(name))
        found.stop_pull(NAME)
        *_, end = [event async for event in events]
        assert isinstance(end, PullFailed)
        assert end.error.code == "pull_stopped"


async def test_a_stream_that_is_closed_stops_its_pull_and_the_next_goes_on_from_there(hub: SmallHub) -> None:
    hub.held[UNET] = HELD
    async with opened() as found:
        events = found.pull(NAME)
        await in_the_middle(events)
        await events.aclose()
        hub.gate.set()
        *_, end = [event async for event in found.pull(NAME)]
        assert end == PullFinished(FOLDER)
    assert hub.bytes_sent(UNET) == [0, HELD]
