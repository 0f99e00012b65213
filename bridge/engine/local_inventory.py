"""The models of this machine: scanned on a thread without torch, listed as an inventory, and pulled from the hub."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import TypeVar

from ..home import find_home
from ..models import (
    RECOMMENDED,
    Checkpoint,
    ControlNet,
    ControlNetRegistry,
    Entry,
    Estimator,
    EstimatorRegistry,
    Family,
    Lora,
    LoraRegistry,
    ModelsError,
    Recommendation,
    Registry,
    WildcardRegistry,
    names_by_hub_id,
)
from ..models.hashing import known_hash
from ..models.memory import device_memory, memory_needs
from ..protocol.errors import BridgeError
from ..protocol.messages import Recommended
from .inventory import (
    CheckpointEntry,
    ControlNetEntry,
    EstimatorEntry,
    FamilyEntry,
    Inventory,
    LoraEntry,
    UnusableEntry,
)
from .port import PullEvent
from .pulls import Pulls

__all__ = ["LOCAL_WORKER", "LocalInventory"]

_log = logging.getLogger(__name__)

LOCAL_WORKER = "local"
"""The name of this machine's worker among the engine's."""

_SCAN_SECONDS = 10.0
_REMEMBERED_SECONDS = 1.0

M = TypeVar("M", Checkpoint, Lora, ControlNet, Estimator)
E = TypeVar("E", CheckpointEntry, LoraEntry, ControlNetEntry, EstimatorEntry)
T = TypeVar("T")


class LocalInventory:
    """This machine's half of :class:`.port.Engine` that is about models. It knows nothing of the process that paints,
    and stands whatever becomes of that.

    All methods belong to one event loop's thread. One thread of its own reads the disk, which may be slow.
    """

    def __init__(self, folders: Iterable[str | Path] = (), *, default_checkpoint: str | None = None) -> None:
        """``folders`` hold checkpoints, with LoRAs, ControlNets and wildcards in folders beside them."""
        paths = [Path(folder) for folder in folders]
        self._registry = Registry(paths, default=default_checkpoint)
        self._loras = LoraRegistry(paths)
        self._controlnets = ControlNetRegistry(paths)
        self._estimators = EstimatorRegistry(paths)
        self._wildcards = WildcardRegistry(paths)
        self._thread = ThreadPoolExecutor(1, "paintbridge-inventory")
        self._scanned: tuple[float, Inventory] | None = None
        self._pulls = Pulls(self._name_of_pulled)

    async def inventory(self, *, fresh: bool = False) -> tuple[Inventory, ...]:
        """As :meth:`.port.Engine.inventory`."""
        return (await self._run(lambda: self._scan(fresh=fresh)),)

    async def inventory_changes(self) -> AsyncGenerator[tuple[Inventory, ...], None]:
        """As :meth:`.port.Engine.inventory_changes`. Scans every few seconds while it is listened to: disks may sleep
        when nobody is there to be told.
        """
        told: tuple[Inventory, ...] = ()
        while True:
            try:
                found = await self.inventory()
            except BridgeError:
                return
            except Exception:  # noqa: BLE001 (the next scan may go well)
                _log.exception("The models could not be listed.")
            else:
                if found != told:
                    told = found
                    yield found
            await asyncio.sleep(_SCAN_SECONDS)

    async def wildcard_options(self, name: str) -> tuple[str, ...]:
        """As :meth:`.port.Engine.wildcard_options`."""
        try:
            return await self._run(lambda: self._wildcards.options(name))
        except ModelsError as error:
            raise BridgeError(error.code, error.message, error.hint) from None

    def pull(self, name: str) -> AsyncGenerator[PullEvent, None]:
        """As :meth:`.port.Engine.pull`."""
        return self._pulls.pull(name)

    def stop_pull(self, name: str) -> None:
        """As :meth:`.port.Engine.stop_pull`."""
        self._pulls.stop(name)

    async def close(self) -> None:
        """Stop what is being pulled, and scan no more."""
        await self._pulls.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    # ------------------------------------------------------------ inside

    async def _run(self, function: Callable[[], T]) -> T:
        try:
            future = self._thread.submit(function)
        except RuntimeError:
            raise BridgeError("shutting_down") from None
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            # Cancelled by `close` and not with the task that asks.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise BridgeError("shutting_down") from None

    async def _name_of_pulled(self, hub_id: str) -> str:
        (inventory,) = await self.inventory(fresh=True)
        for entry in inventory.recommended:
            if entry.name == hub_id and entry.checkpoint is not None:
                return entry.checkpoint
        raise RuntimeError("A checkpoint was pulled, and is not in the list.")

    def _scan(self, *, fresh: bool) -> Inventory:
        """On the inventory's thread."""
        if not fresh and self._scanned is not None and monotonic() - self._scanned[0] < _REMEMBERED_SECONDS:
            return self._scanned[1]
        checkpoints = self._registry.entries(fresh=fresh)
        names = names_by_hub_id(checkpoints)
        inventory = Inventory(
            worker=LOCAL_WORKER,
            checkpoints=_entries(checkpoints, _checkpoint_entry),
            loras=_entries(self._loras.entries(fresh=fresh), _lora_entry),
            controlnets=_entries(self._controlnets.entries(fresh=fresh), _controlnet_entry),
            default_checkpoint=self._registry.default_name(checkpoints),
            recommended=tuple(_recommended(entry, names.get(entry.hub_id)) for entry in RECOMMENDED),
            loras_folder=str(find_home().loras),
            controlnets_folder=str(find_home().controlnets),
            estimators=_entries(self._estimators.entries(fresh=fresh), _estimator_entry),
            estimators_folder=str(find_home().estimators),
        )
        # From its end: a first scan of many large files may itself take more than a second.
        self._scanned = (monotonic(), inventory)
        return inventory


def _entries(entries: Iterable[Entry[M]], entry_of: Callable[[M], E]) -> tuple[E | UnusableEntry, ...]:
    return tuple(
        UnusableEntry(entry.name, entry.found.code, entry.found.message, entry.found.hint)
        if isinstance(entry.found, ModelsError)
        else entry_of(entry.found)
        for entry in entries
    )


def _family_entry(family: Family) -> FamilyEntry:
    return FamilyEntry(family.name, family.title, family.multiple, family.own_kinds, family.reference_roles)


def _checkpoint_entry(checkpoint: Checkpoint) -> CheckpointEntry:
    card, needs = checkpoint.card, memory_needs(checkpoint)
    return CheckpointEntry(
        id=checkpoint.id,
        hash=checkpoint.known_hash(),
        family=_family_entry(checkpoint.family),
        shape=checkpoint.shape,
        inpaint=checkpoint.inpaint,
        native_pixels=card.native_pixels,
        default_steps=card.default_steps,
        default_guidance=float(card.default_guidance),
        default_sampler=card.default_sampler,
        native_range=checkpoint.native_range,
        memory_bytes=0 if needs is None else device_memory(needs.whole()),
        least_memory_bytes=0 if needs is None else device_memory(needs.least()),
        known_names=card.known_names,
    )


def _lora_entry(lora: Lora) -> LoraEntry:
    return LoraEntry(lora.id, known_hash(lora.path, lora.files), _family_entry(lora.family), lora.trigger_words)


def _controlnet_entry(net: ControlNet) -> ControlNetEntry:
    known = net.known_hash()
    inpainting = net.inpainting is not None
    return ControlNetEntry(net.id, known, _family_entry(net.family), net.shape, net.conditions, inpainting)


def _estimator_entry(estimator: Estimator) -> EstimatorEntry:
    return EstimatorEntry(estimator.id, known_hash(estimator.path, estimator.files), estimator.task)


def _recommended(entry: Recommendation, name: str | None) -> Recommended:
    return Recommended(
        name=entry.hub_id,
        family=entry.family,
        inpaint=entry.kind == "inpainting",
        good_at=entry.good_at,
        licence=entry.licence,
        download_bytes=entry.download_bytes,
        memory_bytes=entry.memory_bytes,
        checkpoint=name,
    )
