"""The one pull of a checkpoint that there may be: a process of its own, followed until it ends or is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import Sentence
from ..protocol.errors import CODES, BridgeError
from ..protocol.messages import Pulled, Pulling, Unpulled
from .logs import log, log_fault

__all__ = ["Pulls"]

_CHILD = "bridge.models.pull_process"
_PATIENCE_SECONDS = 3.0
# A signal to the bridge is not one to its child, which is stopped by letting go of it.
_ALONE: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    _ALONE = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}

News = Pulling | Pulled | Unpulled


class Pulls:
    """Begins, follows and stops the pull. Belongs to one event loop."""

    def __init__(self, tell: Callable[[News], None], arrived: Callable[[str], Awaitable[str]]) -> None:
        """``tell`` passes on how far a pull is and how it ended. ``arrived`` is asked what a checkpoint is called that
        has just been fetched.
        """
        self.under_way: Pulling | None = None
        self._tell = tell
        self._arrived = arrived
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self._closed = False

    def begin(self, name: str) -> None:
        """Fetch a checkpoint, unless that is being done already.

        Raises:
            BridgeError: ``pull_busy``, ``shutting_down``.
        """
        if self._closed:
            raise BridgeError("shutting_down")
        if self.under_way is not None and (self.under_way.name != name or self._stopping):
            busy = self.under_way.name
            if self._stopping:
                raise BridgeError("pull_busy", "{busy} is being stopped.", busy=busy)
            raise BridgeError("pull_busy", "{busy} is being fetched.", busy=busy)
        if self.under_way is None:
            self._stopping = False
            self.under_way = Pulling(name, 0, 0)
            self._task = asyncio.create_task(self._run(name), name=f"pull {name}")
        self._tell(self.under_way)

    def stop(self, name: str) -> None:
        """Stop the pull; its end is told when it has stopped.

        Raises:
            BridgeError: ``pull_unknown`` when that checkpoint is not being fetched.
        """
        if self.under_way is None or self.under_way.name != name:
            raise BridgeError("pull_unknown", "That checkpoint is not being fetched.", "It may have arrived already.")
        self._stopping = True
        self._let_go()

    async def close(self) -> None:
        """Stop whatever is under way, without a word: whoever waits for it may ask a later bridge, which goes on where
        this one stopped.
        """
        self._closed = self._stopping = True
        self._let_go()
        if self._task is not None:
            await asyncio.wait((self._task,))

    # ------------------------------------------------------------ the process

    async def _run(self, name: str) -> None:
        try:
            end: News = await self._follow(name)
        except BridgeError as error:
            end = _unpulled(name, error)
        except Exception:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            log_fault("a pull ran into an unforeseen error", name=name)
            end = _unpulled(name, BridgeError("internal"))
        finally:
            self._process = None
        log(logging.INFO, "pull", name=name, code=end.code if isinstance(end, Unpulled) else "pulled")
        self.under_way = None
        if not self._closed:
            self._tell(end)

    async def _follow(self, name: str) -> Pulled:
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", _CHILD, name, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **_ALONE
        )
        if self._stopping:
            self._let_go()
        assert process.stdout is not None
        said: dict[str, Any] = {}
        while line := await process.stdout.readline():
            said = json.loads(line)
            if "done" in said:
                self.under_way = Pulling(name, said["done"], said["total"])
                self._tell(self.under_way)
        await process.wait()
        if "folder" in said:
            return Pulled(name, await self._arrived(name))
        if "code" in said:
            code = said["code"] if said["code"] in CODES else "internal"
            raise BridgeError(code, Sentence.of(said["message"]), Sentence.of(said["hint"]))
        if self._stopping:
            raise BridgeError("pull_stopped")
        raise RuntimeError(f"the pull's process ended with exit code {process.returncode}")

    def _let_go(self) -> None:
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, _kill, process)


def _unpulled(name: str, error: BridgeError) -> Unpulled:
    return Unpulled(name, error.code, error.message, error.hint)


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
