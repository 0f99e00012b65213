"""The list of models: of several workers, soon at every welcome, followed while somebody is there."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from job_forms import plan_of
from small_bridge import Bridge, GatedEngine, a_job, grey

from bridge.engine.inventory import (
    CheckpointEntry,
    ControlNetEntry,
    FamilyEntry,
    Inventory,
    LoraEntry,
    UnusableEntry,
)
from bridge.models.checkpoint import DenoiserShape
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import (
    Checkpoints,
    Condition,
    ContextChoice,
    Device,
    DeviceInfo,
    Extent,
    Failed,
    Planned,
    Recommended,
    Rect,
    Result,
    Started,
)
from bridge.server import model_watcher
from bridge.server.model_list import ModelList

SD1 = FamilyEntry("SD1", "Stable Diffusion 1", 8)
SHAPE = DenoiserShape(320, 768)
SCRIBBLE = Condition("scribble", grey(8, 8, 1)[1])


def checkpoint(name: str, **changes: Any) -> CheckpointEntry:
    return replace(CheckpointEntry(name, None, SD1, SHAPE, False, 512 * 512, 20, 7.0, "DDIM"), **changes)


def pullable(name: str, here: str | None) -> Recommended:
    return Recommended(name, "SD1", False, "all", "openrail", 1, 1, here)


ONE = Inventory(
    "one",
    checkpoints=(
        checkpoint("alpha"),
        checkpoint("beta"),
        UnusableEntry("broken", "checkpoint_unreadable", "It is.", ""),
    ),
    loras=(LoraEntry("ink", None, SD1),),
    default_checkpoint="beta",
    recommended=(pullable("a/first", None), pullable("a/second", "beta")),
)
TWO = Inventory(
    "two",
    checkpoints=(checkpoint("beta", inpaint=True), checkpoint("gamma")),
    loras=(LoraEntry("ink", None, SD1), LoraEntry("wash", None, SD1)),
    controlnets=(ControlNetEntry("lines", None, SD1, SHAPE, ("scribble",)),),
    default_checkpoint="gamma",
    recommended=(pullable("a/first", "gamma"), pullable("a/second", None)),
)


class Remote(GatedEngine):
    """An engine whose two workers are on no machine of the test's: all that the server knows of models is data."""

    async def devices(self) -> dict[str, DeviceInfo]:
        return {"one": DeviceInfo("cuda", "first", "float16", 1), "two": DeviceInfo("cpu", "second", "float32", 1)}

    async def inventory(self, *, fresh: bool = False) -> tuple[Inventory, ...]:  # noqa: ARG002
        return (ONE, TWO)

    async def inventory_changes(self) -> AsyncGenerator[tuple[Inventory, ...], None]:
        yield (ONE, TWO)
        await asyncio.Event().wait()


def test_each_model_is_listed_once_the_default_first() -> None:
    message = ModelList((ONE, TWO)).message
    assert [info.name for info in message.checkpoints] == ["beta", "alpha", "gamma"]
    assert message.checkpoints[0].inpaint is False, "the first worker's"
    assert [info.conditions for info in message.checkpoints] == [(), (), ("scribble",)]
    assert [info.name for info in message.loras] == ["ink", "wash"]
    assert [entry.checkpoint for entry in message.recommended] == ["gamma", "beta"]


def test_a_jobs_models_are_looked_for_on_one_worker() -> None:
    models = ModelList((ONE, TWO))
    assert models.choose(None, (), ()) == "beta"
    assert models.choose("beta", ("wash",), (SCRIBBLE,)) == "beta", "the second worker has all of them"
    assert models.choose("GAMMA.safetensors", ("ink",), ()) == "gamma"
    with pytest.raises(BridgeError) as refused:
        models.choose("alpha", ("wash",), ())
    assert refused.value.code == "lora_unknown"
    with pytest.raises(BridgeError) as refused:
        models.choose("gamma", ("nothing",), ())
    assert refused.value.code == "lora_unknown", "not that the first worker lacks the checkpoint"
    with pytest.raises(BridgeError) as refused:
        models.choose("broken", (), ())
    assert (refused.value.code, refused.value.message) == ("checkpoint_unreadable", "It is.")


def test_no_worker_has_no_checkpoint() -> None:
    with pytest.raises(BridgeError) as refused:
        ModelList().checkpoint(None)
    assert refused.value.code == "checkpoint_unknown"
    assert "No checkpoint is installed" in refused.value.message


async def test_a_plan_and_a_job_need_no_disk_and_no_card(start: Callable[..., Any]) -> None:
    bridge: Bridge = await start(Remote(), default_checkpoint=None)
    client = await bridge.client()
    assert client.welcome is not None
    assert [info.name for info in client.welcome.checkpoints] == ["beta", "alpha", "gamma"]
    device = client.welcome.device or (await client.until(Device)).device
    assert device.name == "first"
    whole = ContextChoice("rect", Rect(0, 0, 100, 52))
    await client.say(
        plan_of(request=1, canvas=Extent(100, 52), selection=Rect(10, 10, 8, 8), context=whole, checkpoint="gamma")
    )
    planned = await client.until(Planned)
    assert planned.model_width % SD1.multiple == 0
    await client.say(a_job("a", prompt="<lora:wash:1>", checkpoint="gamma"))
    assert (await client.until(Result)).layers[0].recipe.settings.checkpoint == "gamma"
    await client.say(a_job("b", prompt="<lora:wash:1>", checkpoint="alpha"))
    assert (await client.until(Failed)).code == "lora_unknown"


class Slow(GatedEngine):
    """An engine whose disk takes its time: what it has is told when ``mounted`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.mounted = asyncio.Event()
        self.followed = 0

    async def inventory(self, *, fresh: bool = False) -> tuple[Inventory, ...]:
        await self.mounted.wait()
        return await super().inventory(fresh=fresh)

    async def inventory_changes(self) -> AsyncGenerator[tuple[Inventory, ...], None]:
        self.followed += 1
        try:
            await self.mounted.wait()
            yield await super().inventory()
            await asyncio.Event().wait()
        finally:
            self.followed -= 1


async def test_the_welcome_waits_for_no_disk(start: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_watcher, "_WELCOME_SECONDS", 0.05)
    engine = Slow()
    bridge: Bridge = await start(engine)
    client = await bridge.client()
    assert client.welcome is not None
    assert client.welcome.checkpoints == ()
    assert client.welcome.samplers
    engine.mounted.set()
    lists = await client.until(Checkpoints)
    assert lists.checkpoints[0].name == "outline"
    late = await bridge.client()
    assert late.welcome is not None
    assert late.welcome.checkpoints == lists.checkpoints


async def test_changes_are_followed_while_a_client_is_there(start: Callable[..., Any]) -> None:
    engine = Slow()
    engine.mounted.set()
    bridge: Bridge = await start(engine)
    assert engine.followed == 0
    clients = [await bridge.client(), await bridge.client()]
    await until(lambda: engine.followed == 1)
    await clients[0].socket.close()
    await clients[1].say(a_job("a"))
    await clients[1].until(Result)
    assert engine.followed == 1
    await clients[1].socket.close()
    await until(lambda: engine.followed == 0)
    again = await bridge.client()
    await until(lambda: engine.followed == 1)
    await again.socket.close()


async def test_what_was_just_put_there_need_not_be_waited_for(start: Callable[..., Any], tmp_path: Path) -> None:
    home = tmp_path / "home"
    bridge: Bridge = await start(home=home)
    client = await bridge.client()
    shutil.copytree(home / "models" / "outline", home / "models" / "second")
    await client.say(a_job("a", checkpoint="second"))
    assert await client.until(Started)
    assert (await client.until(Result)).layers[0].recipe.settings.checkpoint == "second"


async def test_a_prompts_wildcards_are_asked_of_the_engine(start: Callable[..., Any], tmp_path: Path) -> None:
    home = tmp_path / "home"
    bridge: Bridge = await start(home=home)
    (home / "models" / "wildcards").mkdir()
    (home / "models" / "wildcards" / "medium.txt").write_text("<lora:nothing:1>\n")
    client = await bridge.client()
    await client.say(a_job("a", prompt="a cat, __medium__, __medium__"))
    failed = await client.until(Failed)
    assert (failed.code, "'nothing'" in failed.message) == ("lora_unknown", True)
    await client.say(a_job("b", prompt="a cat, __mediums__"))
    failed = await client.until(Failed)
    assert (failed.code, failed.hint) == ("wildcard_unknown", "Close to it: medium.")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)
