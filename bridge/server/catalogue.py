"""Which checkpoints, LoRAs and conditions the bridge offers, and what a job sees: the wire's view of the models."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Collection, Sequence
from typing import TypeVar

from ..canvas.context import plan as plan_context
from ..canvas.errors import CanvasError
from ..canvas.geometry import Rect as CanvasRect
from ..canvas.geometry import Size
from ..models import (
    RECOMMENDED,
    SAMPLERS,
    Checkpoint,
    ControlNet,
    ControlNetRegistry,
    Lora,
    LoraRegistry,
    ModelsError,
    Recommendation,
    Registry,
    WildcardRegistry,
    names_by_hub_id,
)
from ..protocol.errors import BridgeError
from ..protocol.messages import (
    MODES,
    CheckpointInfo,
    Checkpoints,
    Condition,
    LoraInfo,
    Plan,
    Planned,
    Recommended,
    Rect,
)
from .pictures import check_pixels

__all__ = ["Catalogue"]

T = TypeVar("T")

# What is told of LoRAs, of which some people have thousands, must fit into one message beside the checkpoints.
_MOST_LORAS = 4096
_MOST_LORA_BYTES = 1 << 19


class Catalogue:
    """The installed checkpoints and LoRAs. Looks at their folders in a thread, for these may lie on a slow disk."""

    samplers = SAMPLERS

    def __init__(
        self, registry: Registry, loras: LoraRegistry, controlnets: ControlNetRegistry, wildcards: WildcardRegistry
    ) -> None:
        self._registry = registry
        self._loras = loras
        self._controlnets = controlnets
        self.wildcard_options = wildcards.options
        self._lock = threading.Lock()

    async def checkpoints(self, *, fresh: bool = False) -> Checkpoints:
        """All of them, and those that are worth fetching; as it was within the last second, or ``fresh``. Of LoRAs as
        many as a message holds: the others can be named all the same.
        """
        return await asyncio.to_thread(self._list, fresh)

    async def find(self, name: str | None) -> Checkpoint:
        """The checkpoint of that name; None: the default one.

        Raises:
            BridgeError: ``checkpoint_unknown``, or why it cannot be used.
        """
        return await asyncio.to_thread(self._get, name)

    async def check_loras(self, names: Collection[str], checkpoint: Checkpoint) -> None:
        """See that there are LoRAs of these names, and that they were made for the checkpoint's family.

        Raises:
            BridgeError: ``lora_unknown lora_unreadable lora_unsupported``.
        """
        if names:
            await asyncio.to_thread(self._check_loras, names, checkpoint)

    async def check_conditions(self, conditions: Collection[Condition], checkpoint: Checkpoint) -> None:
        """See that there is a ControlNet for each of them, which was made for UNets like the checkpoint's.

        Raises:
            BridgeError: ``unsupported_condition``, or why the one that is named cannot be used.
        """
        if conditions:
            await asyncio.to_thread(self._check_conditions, conditions, checkpoint)

    async def controlnets(self) -> dict[str, str]:
        """The kinds of condition that ControlNets hear, by their names; those that hear none are left out."""
        found = (entry.found for entry in await asyncio.to_thread(self._controlnets.entries))
        return {net.id: net.condition for net in found if isinstance(net, ControlNet) and net.condition is not None}

    async def plan(self, request: Plan, *, most_pixels: int) -> Planned:
        """Answer a plan.

        Raises:
            BridgeError: ``unsupported_mode``, ``empty_selection``, ``bad_context``, ``picture_too_large``; those of
                :meth:`find`.
        """
        if request.mode not in MODES[request.kind]:
            raise BridgeError("unsupported_mode")
        checkpoint = await self.find(request.checkpoint)
        try:
            planned = plan_context(
                Size(request.canvas.width, request.canvas.height),
                _canvas_rect(request.selection),
                kind=request.kind,
                mode=request.mode,
                choice=request.context.kind,
                rect=_canvas_rect(request.context.rect),
                grow=request.grow,
                feather=request.feather,
                native_pixels=checkpoint.card.native_pixels,
                multiple=checkpoint.family.multiple,
                scale=request.scale,
            )
        except CanvasError as error:
            raise BridgeError(error.code, error.message, error.hint) from None
        context = planned.context
        check_pixels(context.width, context.height, scale=request.scale, most_pixels=most_pixels)
        return Planned(
            request.request,
            Rect(context.x, context.y, context.width, context.height),
            planned.mode,
            planned.grow,
            planned.feather,
            planned.reach,
            planned.model_size.width,
            planned.model_size.height,
        )

    def _list(self, fresh: bool) -> Checkpoints:
        with self._lock:
            entries = self._registry.entries(fresh=fresh)
            try:
                default = self._registry.get().id
            except ModelsError:
                default = ""
        found = [entry.found for entry in entries if isinstance(entry.found, Checkpoint)]
        found.sort(key=lambda checkpoint: checkpoint.id != default)
        here = names_by_hub_id(entries)
        recommended = (_recommended(entry, here.get(entry.hub_id)) for entry in RECOMMENDED)
        told = tuple(_info(checkpoint, self._controlnets.kinds(checkpoint)) for checkpoint in found)
        return Checkpoints(told, tuple(recommended), _lora_infos(self._loras.list(fresh=fresh)))

    def _check_loras(self, names: Collection[str], checkpoint: Checkpoint) -> None:
        try:
            self._loras.fitting(names, checkpoint)
        except ModelsError as error:
            raise BridgeError(error.code, error.message, error.hint) from None

    def _check_conditions(self, conditions: Collection[Condition], checkpoint: Checkpoint) -> None:
        try:
            for condition in conditions:
                self._controlnets.choose(condition.kind, checkpoint, condition.controlnet)
        except ModelsError as error:
            raise BridgeError(error.code, error.message, error.hint) from None

    def _get(self, name: str | None) -> Checkpoint:
        with self._lock:
            try:
                return self._registry.get(name)
            except ModelsError as error:
                raise BridgeError(error.code, error.message, error.hint) from None


def _info(checkpoint: Checkpoint, conditions: tuple[str, ...]) -> CheckpointInfo:
    card = checkpoint.card
    return CheckpointInfo(
        name=checkpoint.id,
        family=checkpoint.family.name,
        inpaint=checkpoint.inpaint,
        native_pixels=card.native_pixels,
        default_steps=card.default_steps,
        default_guidance=float(card.default_guidance),
        default_sampler=card.default_sampler,
        demo=bool(card.known_names),
        known_names=card.known_names,
        conditions=conditions,
    )


def _lora_infos(loras: Sequence[Lora]) -> tuple[LoraInfo, ...]:
    told, used = [], 0
    for lora in loras[:_MOST_LORAS]:
        used += len(repr(lora.trigger_words).encode()) + len(lora.id.encode()) + 64
        if used > _MOST_LORA_BYTES:
            break
        told.append(LoraInfo(lora.id, lora.family.name, lora.trigger_words))
    return tuple(told)


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


def _canvas_rect(rect: Rect | None) -> CanvasRect | None:
    return None if rect is None else CanvasRect(rect.x, rect.y, rect.width, rect.height)
