"""Keeps the list of models up to date, tells clients of its changes, and has checkpoints pulled for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from typing import TypeVar

from ..engine.inventory import CheckpointEntry, Inventory
from ..engine.port import Engine
from ..protocol.errors import BridgeError
from ..protocol.messages import Condition, Pulled, ServerMessage
from .logs import log_fault
from .model_list import ModelList
from .outbox import Outbox
from .pulls import Pulls

__all__ = ["ModelWatcher"]

_WELCOME_SECONDS = 2.0

T = TypeVar("T")


class ModelWatcher:
    """The models as clients know them. Belongs to one event loop."""

    def __init__(self, engine: Engine, outboxes: Callable[[], Collection[Outbox]]) -> None:
        """``outboxes`` gives those of all clients that are connected."""
        self.models = ModelList()
        self._engine = engine
        self._outboxes = outboxes
        self._first: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._closed = False
        self._pulls = Pulls(engine, self._tell, self.current)

    def start(self) -> None:
        """Ask the engine for its models, so that those who connect need not wait for it."""
        self._first = asyncio.create_task(self._try_to_list(), name="models")

    def follow(self) -> None:
        """Follow the engine's changes while a client is connected. To be called when one has come or gone."""
        if self._outboxes() and not self._closed:
            if self._following is None or self._following.done():
                self._following = asyncio.create_task(self._follow(), name="changes of models")
        elif self._following is not None:
            self._following.cancel()
            self._following = None

    async def current(self, *, fresh: bool = False) -> ModelList:
        """The models as they were within the last second, or ``fresh``. Who is connected is told when the list has
        changed.

        Raises:
            BridgeError: ``shutting_down``.
        """
        self._take(await self._engine.inventory(fresh=fresh))
        return self.models

    async def for_welcome(self) -> ModelList:
        """The same, if the engine answers soon; else the models as they were known last, and changes are told."""
        try:
            async with asyncio.timeout(_WELCOME_SECONDS):
                await self.current()
        except TimeoutError:
            pass
        except Exception:  # noqa: BLE001 - who has models listed already can paint with them
            log_fault("the models could not be listed")
        return self.models

    async def checkpoint(self, name: str | None) -> CheckpointEntry:
        """The checkpoint of that name; None: the default one. Raises as :meth:`.ModelList.checkpoint`."""
        return await self._ask(lambda models: models.checkpoint(name))

    async def choose(
        self,
        checkpoint: str | None,
        loras: Collection[str] = (),
        conditions: Collection[Condition] = (),
        inpainting: str | None = None,
    ) -> str:
        """The name of a job's checkpoint, if all its models are there. Raises as :meth:`.ModelList.choose`."""
        return await self._ask(lambda models: models.choose(checkpoint, loras, conditions, inpainting))

    async def check_estimators(self, kind: str, name: str | None) -> None:
        """See that maps of a kind can be made. Raises as :meth:`.ModelList.check_estimators`."""
        await self._ask(lambda models: models.check_estimators(kind, name))

    def greet(self, outbox: Outbox) -> None:
        """Tell a new client of the pull that is under way."""
        if self._pulls.under_way is not None:
            outbox.tell(self._pulls.under_way)

    async def pull(self, name: str, outbox: Outbox) -> None:
        """Have a recommended checkpoint pulled, unless it is here, which is answered at once.

        Raises:
            BridgeError: ``pull_unknown``, ``pull_busy``, ``shutting_down``.
        """
        recommended = (await self.current()).message.recommended
        here = next((entry.checkpoint for entry in recommended if entry.name == name), None)
        if here is not None:
            outbox.tell(Pulled(name, here))
        else:
            await self._pulls.begin(name)

    def stop(self, name: str) -> None:
        """Stop the pull of a checkpoint. Raises as :meth:`.Pulls.stop`."""
        self._pulls.stop(name)

    async def close(self) -> None:
        """Follow no more, and stop what is being pulled."""
        self._closed = True
        tasks = [task for task in (self._first, self._following) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._pulls.close()

    # ------------------------------------------------------------ inside

    async def _ask(self, question: Callable[[ModelList], T]) -> T:
        """What the list answers; a refusal only after a fresh scan, for files may have just been put there."""
        try:
            return question(self.models)
        except BridgeError:
            return question(await self.current(fresh=True))

    async def _follow(self) -> None:
        try:
            async with contextlib.aclosing(self._engine.inventory_changes()) as changes:
                async for inventories in changes:
                    self._take(inventories)
        except Exception:  # noqa: BLE001 - the bridge goes on with what is listed
            log_fault("the changes of models could not be followed")

    async def _try_to_list(self) -> None:
        try:
            await self.current()
        except Exception:  # noqa: BLE001 - the next scan may go well
            log_fault("the models could not be listed")

    def _take(self, inventories: tuple[Inventory, ...]) -> None:
        if inventories == self.models.inventories:
            return
        before, self.models = self.models.message, ModelList(inventories)
        if self.models.message != before:
            self._tell(self.models.message)

    def _tell(self, message: ServerMessage) -> None:
        for outbox in self._outboxes():
            outbox.tell(message)
