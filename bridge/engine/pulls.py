"""The one pull of a checkpoint that there may be: a process of its own, followed until it ends or is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from ..errors import Sentence
from ..models import RECOMMENDED
from ..protocol.errors import CODES, BridgeError
from .port import PullEvent, PullFailed, PullFinished, PullProgress

__all__ = ["Pulls"]

_log = logging.getLogger(__name__)

_CHILD = "bridge.engine.pull_process"
_PATIENCE_SECONDS = 3.0
# A signal to the bridge is not one to its child, which is stopped by letting go of it.
_ALONE: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    _ALONE = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


class Pulls:
    """Begins, follows and stops the pull. Belongs to one event loop."""

    def __init__(self, name_of: Callable[[str], Awaitable[str]]) -> None:
        """``name_of`` is asked by what name a checkpoint is listed that has just been pulled."""
        self._name_of = name_of
        self._name: str | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._closed = False

    async def pull(self, name: str) -> AsyncGenerator[PullEvent, None]:
        """As :meth:`.port.Engine.pull`."""
        if self._closed:
            raise BridgeError("shutting_down")
        if self._name is not None:
            if self._stopping:
                raise BridgeError("pull_busy", "{busy} is being stopped.", busy=self._name)
            raise BridgeError("pull_busy", "{busy} is being fetched.", busy=self._name)
        if all(entry.hub_id != name for entry in RECOMMENDED):
            raise BridgeError("pull_unknown")
        self._name, self._stopping = name, False
        end: PullEvent
        try:
            yield PullProgress(0, 0)
            async with contextlib.aclosing(self._follow(name)) as events:
                async for event in events:
                    yield event
            return
        except BridgeError as error:
            end = PullFailed(error)
        except Exception:  # noqa: BLE001 (whatever it is, those who wait must hear of it)
            _log.exception("A pull ran into an unforeseen error.")
            end = PullFailed(BridgeError("internal"))
        finally:
            self._name = self._process = None
        yield end

    def stop(self, name: str) -> None:
        """As :meth:`.port.Engine.stop_pull`."""
        if self._name != name:
            raise BridgeError("pull_unknown", "That checkpoint is not being fetched.", "It may have arrived already.")
        self._stopping = True
        self._let_go()

    async def close(self) -> None:
        """Stop whatever is under way; another engine's pull goes on from there."""
        self._closed = self._stopping = True
        self._let_go()
        if self._process is not None:
            await self._process.wait()

    # ------------------------------------------------------------ the process

    async def _follow(self, name: str) -> AsyncGenerator[PullEvent, None]:
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", _CHILD, name, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **_ALONE
        )
        assert process.stdout is not None
        said: dict[str, Any] = {}
        try:
            if self._stopping:
                self._let_go()
            while line := await process.stdout.readline():
                said = json.loads(line)
                if "done" in said:
                    yield PullProgress(said["done"], said["total"])
        finally:
            self._let_go()
            await process.wait()
        if "folder" in said:
            yield PullFinished(await self._name_of(name))
        elif "code" in said:
            code = said["code"] if said["code"] in CODES else "internal"
            raise BridgeError(code, Sentence.of(said["message"]), Sentence.of(said["hint"]))
        elif self._stopping:
            raise BridgeError("pull_stopped")
        else:
            raise RuntimeError(f"the pull's process ended with exit code {process.returncode}")

    def _let_go(self) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.is_closing():
            process.stdin.close()
            asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, _kill, process)


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
