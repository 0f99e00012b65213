"""Which checkpoints are here, and which could be: looked at now and then, told to every client, and fetched."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection

from ..protocol.errors import BridgeError
from ..protocol.messages import Checkpoints, Pulled, ServerMessage
from .catalogue import Catalogue
from .logs import log_fault
from .outbox import Outbox
from .pulls import Pulls

__all__ = ["Stock"]

_LOOK_SECONDS = 10.0


class Stock:
    """The lists of checkpoints as clients know them. Belongs to one event loop."""

    def __init__(self, catalogue: Catalogue, outboxes: Callable[[], Collection[Outbox]]) -> None:
        """``outboxes`` gives those of all clients that are connected."""
        self._catalogue = catalogue
        self._outboxes = outboxes
        self._told: Checkpoints | None = None
        self._looking = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._pulls = Pulls(self._tell, self._arrived)

    def start(self) -> None:
        """Begin to look for what comes and goes."""
        self._watch = asyncio.create_task(self._look_now_and_then(), name="checkpoints")

    async def look(self, *, fresh: bool = False) -> Checkpoints:
        """The lists as they are. Who is connected already is told when they have changed."""
        async with self._looking:
            found = await self._catalogue.checkpoints(fresh=fresh)
            if self._told is not None and found != self._told:
                self._tell(found)
            self._told = found
            return found

    def greet(self, outbox: Outbox) -> None:
        """Tell a new client of the pull that is under way."""
        if self._pulls.under_way is not None:
            outbox.tell(self._pulls.under_way)

    async def pull(self, name: str, outbox: Outbox) -> None:
        """Fetch a recommended checkpoint, unless it is here, which is answered at once.

        Raises:
            BridgeError: ``pull_unknown``, ``pull_busy``.
        """
        entry = next((entry for entry in (await self.look()).recommended if entry.name == name), None)
        if entry is None:
            raise BridgeError("pull_unknown")
        if entry.checkpoint is not None:
            outbox.tell(Pulled(name, entry.checkpoint))
        else:
            self._pulls.begin(name)

    def stop(self, name: str) -> None:
        """Stop the pull of a checkpoint. Raises as :meth:`.Pulls.stop`."""
        self._pulls.stop(name)

    async def close(self) -> None:
        """Look no more, and stop what is being fetched."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        await self._pulls.close()

    async def _arrived(self, name: str) -> str:
        for entry in (await self.look(fresh=True)).recommended:
            if entry.name == name and entry.checkpoint is not None:
                return entry.checkpoint
        raise RuntimeError("a checkpoint was fetched, and is not in the list")

    async def _look_now_and_then(self) -> None:
        # The first look reads the head of every file; nobody who connects need wait for it.
        await self._try_to_look()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            # Disks may sleep while nobody is there to be told.
            if self._outboxes():
                await self._try_to_look()

    async def _try_to_look(self) -> None:
        try:
            await self.look()
        except Exception:  # noqa: BLE001 - the next look may go well
            log_fault("the checkpoints could not be looked at")

    def _tell(self, message: ServerMessage) -> None:
        for outbox in self._outboxes():
            outbox.tell(message)
