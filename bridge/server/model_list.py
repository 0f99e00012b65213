"""The models of all of an engine's workers: what clients are told of them, and which ones a job uses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from ..engine.inventory import CheckpointEntry, ControlNetEntry, Inventory, LoraEntry
from ..protocol.errors import BridgeError
from ..protocol.messages import CheckpointInfo, Checkpoints, Condition, LoraInfo, Recommended

__all__ = ["ModelList"]

T = TypeVar("T")

# What is told of LoRAs, of which some people have thousands, must fit into one message beside the checkpoints.
_MOST_LORAS = 4096
_MOST_LORA_BYTES = 1 << 19


class ModelList:
    """What the engine's inventories said at one moment. ``message`` tells it to clients, the default checkpoint first;
    of LoRAs as many as a message holds: the others can be named all the same.
    """

    def __init__(self, inventories: tuple[Inventory, ...] = ()) -> None:
        self.inventories = inventories
        self.message = Checkpoints(
            _checkpoint_infos(inventories),
            _recommended(inventories),
            _lora_infos(_loras(inventories)),
            _maps(inventories),
        )

    def checkpoint(self, name: str | None) -> CheckpointEntry:
        """The checkpoint of that name; None: the default one.

        Raises:
            BridgeError: ``checkpoint_unknown``, or why it cannot be used.
        """
        return _first(self.inventories, lambda inventory: inventory.checkpoint(name))

    def choose(
        self,
        checkpoint: str | None,
        loras: Collection[str],
        conditions: Collection[Condition],
        inpainting: str | None = None,
    ) -> str:
        """The name of the checkpoint that is meant, if one worker has it, all LoRAs of these names, a ControlNet
        for each condition, and the one named for inpainting.

        Raises:
            BridgeError: as :meth:`.Inventory.checkpoint` and :meth:`.Inventory.check`.
        """

        def chosen(inventory: Inventory) -> str:
            found = inventory.checkpoint(checkpoint)
            inventory.check(found, loras=loras, conditions=conditions, inpainting=inpainting)
            return found.id

        having = tuple(inventory for inventory in self.inventories if _has(inventory, checkpoint))
        return _first(having or self.inventories, chosen)

    def check_estimators(self, kind: str, name: str | None) -> None:
        """See that one worker can make maps of a kind, with the estimator of that name, if one is given.

        Raises:
            BridgeError: as :meth:`.Inventory.check_estimators`.
        """
        _first(self.inventories, lambda inventory: inventory.check_estimators(kind, name))

    def controlnets(self) -> dict[str, tuple[str, ...]]:
        """The kinds of condition that ControlNets take, by their names; those that take none are left out."""
        nets = (net for inventory in self.inventories for net in inventory.controlnets)
        return {net.id: net.conditions for net in nets if isinstance(net, ControlNetEntry) and net.conditions}


def _first(inventories: Iterable[Inventory], answer: Callable[[Inventory], T]) -> T:
    """The answer of the first worker that has one, or else the first refusal."""
    refusal: BridgeError | None = None
    for inventory in inventories:
        try:
            return answer(inventory)
        except BridgeError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal
    return answer(Inventory(worker=""))


def _has(inventory: Inventory, checkpoint: str | None) -> bool:
    try:
        inventory.checkpoint(checkpoint)
    except BridgeError:
        return False
    return True


def _checkpoint_infos(inventories: Iterable[Inventory]) -> tuple[CheckpointInfo, ...]:
    infos: dict[str, CheckpointInfo] = {}
    for inventory in inventories:
        try:
            default = inventory.checkpoint(None).id
        except BridgeError:
            default = None
        usable = [entry for entry in inventory.checkpoints if isinstance(entry, CheckpointEntry)]
        for entry in sorted(usable, key=lambda entry: entry.id != default):
            infos.setdefault(entry.id, _info(entry, inventory.condition_kinds(entry)))
    return tuple(infos.values())


def _info(entry: CheckpointEntry, conditions: tuple[str, ...]) -> CheckpointInfo:
    return CheckpointInfo(
        name=entry.id,
        family=entry.family.name,
        inpaint=entry.inpaint,
        native_pixels=entry.native_pixels,
        default_steps=entry.default_steps,
        default_guidance=entry.default_guidance,
        default_sampler=entry.default_sampler,
        demo=bool(entry.known_names),
        known_names=entry.known_names,
        conditions=conditions,
        memory_bytes=entry.memory_bytes,
        least_memory_bytes=entry.least_memory_bytes,
    )


def _loras(inventories: Iterable[Inventory]) -> Iterable[LoraEntry]:
    loras: dict[str, LoraEntry] = {}
    for inventory in inventories:
        for entry in inventory.loras:
            if isinstance(entry, LoraEntry):
                loras.setdefault(entry.id, entry)
    return loras.values()


def _lora_infos(loras: Iterable[LoraEntry]) -> tuple[LoraInfo, ...]:
    told: list[LoraInfo] = []
    used = 0
    for lora in loras:
        used += len(repr(lora.trigger_words).encode()) + len(lora.id.encode()) + 64
        if used > _MOST_LORA_BYTES or len(told) == _MOST_LORAS:
            break
        told.append(LoraInfo(lora.id, lora.family.name, lora.trigger_words))
    return tuple(told)


def _recommended(inventories: Iterable[Inventory]) -> tuple[Recommended, ...]:
    """Each once, as a worker that has it tells it, if one does."""
    told: dict[str, Recommended] = {}
    for inventory in inventories:
        for entry in inventory.recommended:
            if entry.name not in told or told[entry.name].checkpoint is None:
                told[entry.name] = entry
    return tuple(told.values())


def _maps(inventories: Iterable[Inventory]) -> tuple[str, ...]:
    """The kinds of maps that any of the workers can make."""
    return tuple(dict.fromkeys(kind for inventory in inventories for kind in inventory.map_kinds()))
