"""The models as the engine tells of them: plain data, told soon and as it changes, whatever becomes of the worker."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pickle
import shutil
import signal
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from small_bridge import grey, write_controlnet_outline, write_outline

from bridge.engine import local_inventory
from bridge.engine.inventory import CheckpointEntry, ControlNetEntry, Inventory, LoraEntry, UnusableEntry
from bridge.engine.local import EngineSettings, LocalEngine
from bridge.engine.local_inventory import LOCAL_WORKER, LocalInventory
from bridge.engine.port import TaskFailed, TaskFinished
from bridge.models import RECOMMENDED, CheckpointUnknown, Registry, inspect
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Condition

PATIENCE = 60.0
SCRIBBLE = Condition("scribble", grey(8, 8, 1)[1])


def write_lora(folder: Path, name: str) -> Path:
    """A LoRA of one module for SD1."""
    folder.mkdir(parents=True, exist_ok=True)
    layer = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k"
    tensors = {f"{layer}.lora_down.weight": np.zeros((4, 768)), f"{layer}.lora_up.weight": np.zeros((1280, 4))}
    save_file(tensors, folder / f"{name}.safetensors", {"modelspec.trigger_phrase": "ink wash"})
    return folder / f"{name}.safetensors"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models with one checkpoint, one LoRA, one ControlNet, and a broken checkpoint."""
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path / "home"))
    models = tmp_path / "models"
    write_outline(models / "outline")
    write_lora(models / "loras", "ink")
    write_controlnet_outline(models / "controlnet" / "outline_scribble")
    (models / "broken.safetensors").write_bytes(b"no weights")
    return models


@contextlib.asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncIterator[LocalInventory]:
    found = LocalInventory([folder], **options)
    try:
        yield found
    finally:
        await found.close()


async def only(found: LocalInventory, *, fresh: bool = False) -> Inventory:
    (inventory,) = await found.inventory(fresh=fresh)
    return inventory


async def test_each_kind_is_listed_with_what_lists_and_plans_need(folder: Path) -> None:
    async with opened(folder, default_checkpoint="outline") as found:
        inventory = await only(found)
    assert inventory.worker == LOCAL_WORKER
    checkpoint = inventory.checkpoint(None)
    outline = inspect(folder / "outline")
    assert isinstance(checkpoint, CheckpointEntry)
    assert (checkpoint.id, checkpoint.inpaint, checkpoint.hash) == ("outline", True, None)
    assert (checkpoint.family.name, checkpoint.family.multiple) == ("SD1", outline.family.multiple)
    assert checkpoint.native_pixels == outline.card.native_pixels
    assert inventory.condition_kinds(checkpoint) == ("scribble",)
    (lora,) = inventory.loras
    assert isinstance(lora, LoraEntry)
    assert (lora.id, lora.family.name, lora.trigger_words) == ("ink", "SD1", ("ink wash",))
    (net,) = inventory.controlnets
    assert isinstance(net, ControlNetEntry)
    assert (net.id, net.conditions) == ("outline_scribble", ("scribble",))
    inventory.check(checkpoint, loras=["ink"], conditions=[SCRIBBLE])
    assert [entry.name for entry in inventory.recommended] == [entry.hub_id for entry in RECOMMENDED]


async def test_what_is_broken_is_listed_with_the_words_of_the_registry(folder: Path) -> None:
    async with opened(folder) as found:
        inventory = await only(found)
    problem = Registry([folder]).problems()["broken.safetensors"]
    broken = UnusableEntry("broken.safetensors", problem.code, problem.message, problem.hint)
    assert broken in inventory.checkpoints
    with pytest.raises(BridgeError) as refused:
        inventory.checkpoint("broken")
    assert (refused.value.code, refused.value.message) == (problem.code, problem.message)


async def test_what_is_not_there_is_refused_in_the_words_of_the_registry(folder: Path) -> None:
    async with opened(folder, default_checkpoint="outline") as found:
        inventory = await only(found)
    with pytest.raises(CheckpointUnknown) as told:
        Registry([folder], default="outline").get("else")
    with pytest.raises(BridgeError) as refused:
        inventory.checkpoint("else")
    assert (refused.value.message, refused.value.hint) == (told.value.message, told.value.hint)
    checkpoint = inventory.checkpoint("outline")
    with pytest.raises(BridgeError) as refused:
        inventory.check(checkpoint, loras=["inkk"])
    assert (refused.value.code, refused.value.hint) == ("lora_unknown", "Close to it: ink.")
    other = dataclasses.replace(checkpoint, family=dataclasses.replace(checkpoint.family, name="SDXL", title="XL"))
    with pytest.raises(BridgeError, match="lora_unsupported"):
        inventory.check(other, loras=["ink"])
    with pytest.raises(BridgeError) as refused:
        inventory.check(other, conditions=[SCRIBBLE])
    assert refused.value.code == "unsupported_condition"
    assert inventory.controlnets_folder in refused.value.hint


async def test_it_is_plain_data(folder: Path) -> None:
    async with opened(folder) as found:
        inventory = await only(found)
    assert pickle.loads(pickle.dumps(inventory)) == inventory
    said = json.dumps(dataclasses.asdict(dataclasses.replace(inventory, checkpoints=inventory.checkpoints[:-1])))
    assert str(folder) not in said, "no paths but those of folders that a sentence names"


async def test_a_hash_is_told_when_something_has_read_the_files(folder: Path) -> None:
    async with opened(folder, default_checkpoint="outline") as found:
        before = await only(found)
        assert before.checkpoint(None).hash is None
        content = inspect(folder / "outline").content_hash()
        after = await only(found, fresh=True)
        assert after.checkpoint(None).hash == content
        (folder / "outline" / "model_index.json").write_text(
            json.dumps({"unet": [], "vae": [], "text_encoder": [], "_diffusers_version": "0"})
        )
        assert (await only(found, fresh=True)).checkpoint(None).hash is None, "it is another checkpoint now"


async def test_changes_are_told_as_they_come(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_inventory, "_SCAN_SECONDS", 0.05)
    async with opened(folder) as found, asyncio.timeout(PATIENCE):
        changes = found.inventory_changes()
        (inventory,) = await anext(changes)
        assert len(inventory.loras) == 1
        write_lora(folder / "loras", "wash")
        (inventory,) = await anext(changes)
        assert [lora.id for lora in inventory.loras] == ["ink", "wash"]
        shutil.rmtree(folder / "outline")
        (inventory,) = await anext(changes)
        with pytest.raises(BridgeError, match="checkpoint_unknown"):
            inventory.checkpoint("outline")
        await changes.aclose()


async def test_changes_end_with_the_inventory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_inventory, "_SCAN_SECONDS", 0.01)
    async with opened(folder) as found:
        changes = found.inventory_changes()
        await anext(changes)
        await found.close()
        assert [inventories async for inventories in changes] == []
        with pytest.raises(BridgeError, match="shutting_down"):
            await found.inventory()
        with pytest.raises(BridgeError, match="shutting_down"):
            await found.wildcard_options("colours")
        with pytest.raises(BridgeError, match="shutting_down"):
            await anext(found.pull(RECOMMENDED[0].hub_id))


async def test_wildcards_are_read_where_they_are(folder: Path) -> None:
    (folder / "wildcards").mkdir()
    (folder / "wildcards" / "colours.txt").write_text("red\nblue\n")
    async with opened(folder) as found:
        assert await found.wildcard_options("colours") == ("red", "blue")
        with pytest.raises(BridgeError, match="wildcard_unknown"):
            await found.wildcard_options("shapes")


async def test_a_slow_disk_does_not_hold_up_the_event_loop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = threading.Event()

    def slow(*_: Any) -> None:
        assert mounted.wait(PATIENCE)
        raise OSError("it is not there")

    async with opened(folder) as found:
        monkeypatch.setattr("bridge.models.registry.find_locations", slow)
        looking = asyncio.create_task(found.inventory())
        left = asyncio.create_task(found.inventory())
        await asyncio.sleep(0.01)
        assert not looking.done()
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        mounted.set()
        with pytest.raises(OSError, match="not there"):
            await looking
        monkeypatch.undo()
        assert (await only(found)).checkpoint("outline")


async def test_who_waits_for_a_slow_disk_is_told_of_the_end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted = threading.Event()
    monkeypatch.setattr("bridge.models.registry.find_locations", lambda: () if mounted.wait(PATIENCE) else None)
    async with opened(folder) as found:
        first, second = asyncio.create_task(found.inventory()), asyncio.create_task(found.inventory())
        await asyncio.sleep(0.01)
        await found.close()
        with pytest.raises(BridgeError, match="shutting_down"):
            await second
        mounted.set()
        (inventory,) = await first
        assert inventory.checkpoint("outline")


async def test_it_is_told_before_the_worker_is_up(models: Path) -> None:
    engine = LocalEngine(EngineSettings(models=(str(models),), default_checkpoint="tiny", device="cpu"))
    await engine.start()
    asking = asyncio.create_task(engine.devices())
    try:
        (inventory,) = await engine.inventory()
        assert inventory.checkpoint(None).id == "tiny"
        assert not asking.done()
    finally:
        await engine.close()
    with pytest.raises(BridgeError, match="shutting_down"):
        await asking


async def test_it_stands_whatever_becomes_of_the_worker(new_engine: Any, jobs: Any) -> None:
    async with new_engine() as engine:
        await engine.devices()
        os.kill(engine.worker_pid, signal.SIGKILL)
        changes = engine.inventory_changes()
        (inventory,) = await anext(changes)
        assert {entry.id for entry in inventory.checkpoints} >= {"tiny", "inpaint", "slow"}
        await changes.aclose()
        assert isinstance((await jobs.follow(engine, jobs.task("after")))[-1], TaskFinished)


async def test_a_checkpoint_that_vanished_since_it_was_listed_is_refused_in_words(
    new_engine: Any, jobs: Any, models: Path, tmp_path: Path
) -> None:
    shutil.copytree(models / "tiny", tmp_path / "models" / "passing")
    async with new_engine(models=(str(tmp_path / "models"),), default_checkpoint="passing") as engine:
        (inventory,) = await engine.inventory()
        assert inventory.checkpoint(None).hash is None
        await jobs.finish(engine, jobs.task("while it is there", checkpoint="passing"))
        (inventory,) = await engine.inventory(fresh=True)
        assert inventory.checkpoint(None).hash == inspect(tmp_path / "models" / "passing").hash, "the job has read it"
        shutil.rmtree(tmp_path / "models" / "passing")
        end = (await jobs.follow(engine, jobs.task("too late", checkpoint="passing")))[-1]
        assert isinstance(end, TaskFailed)
        # The worker may have scanned the folder within the last second.
        assert end.error.code in ("checkpoint_unknown", "checkpoint_unreadable")
        assert "passing" in end.error.message
        assert end.error.hint
