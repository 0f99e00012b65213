"""Checkpoints over the wire: recommended, fetched from a small hub by a real child process, told to every client."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from child_processes import running_children
from safetensors.numpy import save_file
from small_bridge import Bridge, Client
from small_hub import SmallHub, serve_hub
from tiny_checkpoints import build_tiny_sd1

from bridge.engine import local_inventory, pulls
from bridge.models import RECOMMENDED
from bridge.protocol.messages import (
    Ack,
    Checkpoints,
    Closing,
    Error,
    LoraInfo,
    Pull,
    Pulled,
    Pulling,
    Recommended,
    Resume,
    Resumed,
    Stop,
    Unpulled,
)

NAME, OTHER = RECOMMENDED[0].hub_id, RECOMMENDED[1].hub_id
FOLDER = NAME.partition("/")[2]
UNET = "unet/diffusion_pytorch_model.safetensors"
HELD = 100_000


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_sd1(tmp_path_factory.mktemp("tiny") / "tiny", inpaint=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def hub(tiny: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    with serve_hub(SmallHub(NAME, tiny)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.fixture
async def pulling(hub: SmallHub, start: Callable[..., Any], home: Path) -> tuple[Bridge, Client]:
    """A bridge that fetches, held in the middle of the largest file, and the client that has asked."""
    hub.held[UNET] = HELD
    bridge: Bridge = await start(home=home)
    client = await bridge.client()
    await client.say(Pull(NAME))
    await in_the_middle(client)
    return bridge, client


async def in_the_middle(client: Client) -> Pulling:
    return await client.until(Pulling, lambda news: news.done >= HELD)


def entry(found: Any) -> Recommended:
    return next(entry for entry in found.recommended if entry.name == NAME)


def children() -> list[psutil.Process]:
    return running_children("bridge.engine.pull_process")


async def test_the_welcome_recommends_what_fits_the_messages(bridge: Bridge) -> None:
    client = await bridge.client()
    assert client.welcome is not None
    assert [entry.name for entry in client.welcome.recommended] == [entry.hub_id for entry in RECOMMENDED]
    first = client.welcome.recommended[0]
    assert (first.family, first.inpaint, first.checkpoint) == ("SD1", True, None)
    assert first.licence == "creativeml-openrail-m"
    assert first.download_bytes > 2e9
    assert first.memory_bytes > first.download_bytes
    assert "fit their surroundings" in first.good_at


async def test_a_pull_is_told_to_everybody_and_lists_the_checkpoint(
    hub: SmallHub, start: Callable[..., Any], home: Path, tiny: Path
) -> None:
    bridge: Bridge = await start(home=home)
    client, other = await bridge.client(), await bridge.client()
    await client.say(Pull(NAME))
    for each in (client, other):
        pulled = await each.until(Pulled)
        assert pulled == Pulled(NAME, FOLDER)
        kinds = [type(message) for message in each.seen]
        assert kinds.index(Checkpoints) < kinds.index(Pulled)
        lists = next(message for message in each.seen if isinstance(message, Checkpoints))
        assert FOLDER in [checkpoint.name for checkpoint in lists.checkpoints]
        assert entry(lists).checkpoint == FOLDER
        steps = [message for message in each.seen if isinstance(message, Pulling)]
        assert [step.done for step in steps] == sorted(step.done for step in steps)
        assert steps[-1].done == steps[-1].total == sum(map(len, hub.files.values()))
    assert (home / "models" / FOLDER / UNET).read_bytes() == (tiny / UNET).read_bytes()
    await client.say(Pull(NAME))
    assert await client.until(Pulled) == Pulled(NAME, FOLDER)
    assert len(hub.bytes_sent(UNET)) == 1
    late = await bridge.client()
    assert late.welcome is not None
    assert entry(late.welcome).checkpoint == FOLDER


async def test_one_pull_is_shared_and_a_late_client_hears_of_it(hub: SmallHub, pulling: tuple[Bridge, Client]) -> None:
    bridge, client = pulling
    late = await bridge.client()
    assert (await in_the_middle(late)).name == NAME
    await late.say(Pull(NAME))
    await late.until(Pulling)
    await late.say(Pull(OTHER))
    refused = await late.until(Error)
    assert (refused.code, refused.about) == ("pull_busy", OTHER)
    assert NAME in refused.message
    hub.gate.set()
    for each in (client, late):
        assert await each.until(Pulled) == Pulled(NAME, FOLDER)
    assert hub.bytes_sent(UNET) == [0]


async def test_it_goes_on_when_the_client_leaves_and_comes_back(hub: SmallHub, pulling: tuple[Bridge, Client]) -> None:
    bridge, client = pulling
    assert client.welcome is not None
    await client.say(Ack(1))  # a session that was used waits to be resumed
    assert (await client.until(Error)).code == "out_of_range"
    await client.socket.close()
    again = await bridge.open()
    await again.greet(bridge.token)
    await again.say(Resume(client.welcome.session, 0))
    await again.until(Resumed)
    assert any(isinstance(message, Pulling) for message in again.seen) or await in_the_middle(again)
    hub.gate.set()
    assert await again.until(Pulled) == Pulled(NAME, FOLDER)
    assert hub.bytes_sent(UNET) == [0]


async def test_stopped_by_another_client_and_taken_up_again(hub: SmallHub, pulling: tuple[Bridge, Client]) -> None:
    bridge, client = pulling
    other = await bridge.client()
    await other.say(Stop(NAME))
    for each in (client, other):
        stopped = await each.until(Unpulled)
        assert (stopped.name, stopped.code) == (NAME, "pull_stopped")
        assert stopped.hint
    assert not children()
    await other.say(Stop(NAME))
    refused = await other.until(Error)
    assert (refused.code, refused.about) == ("pull_unknown", NAME)
    hub.gate.set()
    await client.say(Pull(NAME))
    assert await client.until(Pulled) == Pulled(NAME, FOLDER)
    assert hub.bytes_sent(UNET) == [0, HELD]


async def test_a_pull_while_the_last_one_is_being_stopped_is_refused(
    pulling: tuple[Bridge, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client = pulling
    (child,) = children()
    # It stands still, so that it is being stopped for as long as this takes.
    monkeypatch.setattr(pulls, "_PATIENCE_SECONDS", 600.0)
    child.suspend()
    while child.status() != psutil.STATUS_STOPPED:
        await asyncio.sleep(0.01)
    try:
        await client.say(Stop(NAME))
        await client.say(Pull(NAME))
        refused = await client.until(Error)
        assert (refused.code, refused.about) == ("pull_busy", NAME)
        assert "being stopped" in refused.message
    finally:
        child.resume()
    assert (await client.until(Unpulled)).code == "pull_stopped"


async def test_it_ends_with_the_bridge_and_goes_on_with_the_next_one(
    hub: SmallHub, pulling: tuple[Bridge, Client], start: Callable[..., Any], home: Path
) -> None:
    bridge, client = pulling
    (child,) = children()
    bridge.server.stop()
    await client.until(Closing)
    assert not any(isinstance(message, Unpulled) for message in client.seen)
    await bridge.running
    assert not child.is_running()
    hub.gate.set()
    again: Bridge = await start(home=home)
    back = await again.client()
    await back.say(Pull(NAME))
    assert await back.until(Pulled) == Pulled(NAME, FOLDER)
    assert hub.bytes_sent(UNET) == [0, HELD]


def no_network(hub: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")


def damaged(hub: SmallHub, _: pytest.MonkeyPatch) -> None:
    hub.damaged.add(UNET)


def gated(hub: SmallHub, _: pytest.MonkeyPatch) -> None:
    hub.gated = True


def gone(hub: SmallHub, _: pytest.MonkeyPatch) -> None:
    hub.hub_id = "somebody/else"


def no_room(hub: SmallHub, _: pytest.MonkeyPatch) -> None:
    hub.sizes[UNET] = 1 << 60


@pytest.mark.parametrize(
    ("trouble", "code", "words"),
    [
        (no_network, "hub_offline", "cannot be reached"),
        (damaged, "download_damaged", "hash"),
        (gated, "hub_gated", "licence"),
        (gone, "hub_not_found", NAME),
        (no_room, "disk_full", "room"),
    ],
)
async def test_what_goes_wrong_is_told_in_words(
    hub: SmallHub,
    start: Callable[..., Any],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    trouble: Callable[..., None],
    code: str,
    words: str,
) -> None:
    trouble(hub, monkeypatch)
    bridge: Bridge = await start(home=home)
    client = await bridge.client()
    await client.say(Pull(NAME))
    failed = await client.until(Unpulled)
    assert (failed.name, failed.code) == (NAME, code)
    assert words in failed.message
    assert failed.hint
    # The process that pulls has handed on what other languages need.
    assert {**failed.message.values, **failed.hint.values}
    assert "Fatal" not in capfd.readouterr().err


async def test_something_else_at_its_place(hub: SmallHub, start: Callable[..., Any], home: Path) -> None:
    bridge: Bridge = await start(home=home)
    (home / "models" / FOLDER).mkdir()
    client = await bridge.client()
    await client.say(Pull(NAME))
    assert (await client.until(Unpulled)).code == "pull_conflict"


@pytest.mark.parametrize("name", ["somebody/else", "../outline", "https://example.org/a", "/etc", "", "outline"])
async def test_nothing_else_is_fetched(bridge: Bridge, name: str) -> None:
    client = await bridge.client()
    await client.say(Pull(name))
    assert (await client.until(Error)).code == "pull_unknown"
    assert not children()


async def test_what_others_put_there_is_told(
    start: Callable[..., Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_inventory, "_SCAN_SECONDS", 0.05)
    bridge: Bridge = await start(home=home)
    client = await bridge.client()
    shutil.copytree(home / "models" / "outline", home / "models" / "second")
    lists = await client.until(Checkpoints)
    assert "second" in [checkpoint.name for checkpoint in lists.checkpoints]
    shutil.rmtree(home / "models" / "second")
    lists = await client.until(Checkpoints)
    assert "second" not in [checkpoint.name for checkpoint in lists.checkpoints]
    assert lists.loras == ()
    layer = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
    tensors = {f"{layer}.lora_down.weight": np.zeros((4, 768)), f"{layer}.lora_up.weight": np.zeros((1280, 4))}
    (home / "models" / "loras").mkdir()
    save_file(tensors, home / "models" / "loras" / "ink.safetensors")
    lists = await client.until(Checkpoints)
    assert lists.loras == (LoraInfo("ink", "SD1", ()),)
