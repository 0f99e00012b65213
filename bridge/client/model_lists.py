"""The checkpoints as the bridge tells of them, and those that it is asked to fetch.

Pulls are the bridge's, not a session's: after a lost connection, or from a bridge that was started anew, they are asked
for again, and go on where they were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

from ..protocol.messages import Checkpoints, Pull, Pulled, Pulling, Stop, Unpulled, Welcome
from .connection import Connection
from .errors import error_from_wire

__all__ = ["NEWS", "ModelLists", "PullCallback"]

NEWS = (Checkpoints, Pulling, Pulled, Unpulled)

PullCallback = Callable[[Union[Pulling, Pulled, Unpulled]], None]
Follower = Callable[[Pulling], None]
Persist = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


@dataclass
class _Waiting:
    answer: asyncio.Task[Any]
    followers: list[Follower] = field(default_factory=list)


class ModelLists:
    """What one client knows. ``persist`` tries again until there is an answer; ``call_back`` calls the host.

    ``on_checkpoints`` is called when the lists have changed; ``on_pull`` with whatever is said of any client's pulls.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        persist: Persist,
        call_back: Callable[..., None],
        on_checkpoints: Optional[Callable[[Checkpoints], None]],
        on_pull: Optional[PullCallback],
    ) -> None:
        self.checkpoints = Checkpoints((), ())
        self._connection = connection
        self._persist = persist
        self._call_back = call_back
        self._on_checkpoints = on_checkpoints
        self._on_pull = on_pull
        self._waiting: dict[str, _Waiting] = {}

    async def pull(self, name: str, on_progress: Optional[Follower]) -> str:
        """Wait until the checkpoint is there; its name among the checkpoints.

        Raises:
            BridgeError: it could not be fetched, or somebody stopped it.
            ClientError: there will be no further connection.
        """
        waiting = self._waiting.get(name)
        if waiting is None:
            # One question, however many wait for its answer.
            waiting = self._waiting[name] = _Waiting(asyncio.get_running_loop().create_task(self._ask(name)))
        if on_progress is not None:
            waiting.followers.append(on_progress)
        answer = await asyncio.shield(waiting.answer)
        if isinstance(answer, Unpulled):
            raise error_from_wire(answer.code, answer.message, answer.hint)
        return str(answer.checkpoint)

    def stop(self, name: str) -> None:
        """Ask for a pull's end."""
        self._connection.post(Stop(name))

    def welcomed(self, welcome: Welcome) -> None:
        """Each connection begins with a welcome, and what it lists counts for a resumed session too."""
        self.received(Checkpoints(welcome.checkpoints, welcome.recommended, welcome.loras, welcome.maps))

    def received(self, message: Union[Checkpoints, Pulling, Pulled, Unpulled]) -> None:
        """The bridge has said something of them."""
        if not isinstance(message, Checkpoints):
            waiting = self._waiting.get(message.name)
            if waiting is not None and isinstance(message, Pulling):
                for follower in waiting.followers:
                    self._call_back(follower, message)
            self._call_back(self._on_pull, message)
        elif message != self.checkpoints:
            self.checkpoints = message
            self._call_back(self._on_checkpoints, message)

    async def _ask(self, name: str) -> Any:
        try:
            return await self._persist(lambda: self._connection.ask(Pull(name), ("pulled", name), name))
        finally:
            del self._waiting[name]
