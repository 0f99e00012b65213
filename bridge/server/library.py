"""The library as the event loop sees it: all calls are made on one thread beside it, in order, for disks are slow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..engine.port import TaskFinished
from ..errors import Sentence
from ..library import Library, Origin
from ..protocol.errors import BridgeError
from ..protocol.messages import Browse, Browsed, Forget, KeepDocument, Mark, Noted, Submit, UnfinishedJob
from .logs import log
from .session import Job

__all__ = ["Keeper"]

T = TypeVar("T")


class Keeper:
    """Belongs to one event loop. ``open_library`` opens it, or raises OSError; None: it is switched off."""

    def __init__(self, open_library: Callable[[], Library] | None) -> None:
        self._open_library = open_library
        self._library: Library | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="library")
        self._entries: dict[str, asyncio.Task[str | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open the library. One that cannot be opened is tried again whenever it is asked for."""
        try:
            await self._do(lambda _: None)
        except BridgeError as error:
            if self._open_library is not None:
                log(logging.WARNING, "library not opened", reason=error.message)

    async def close(self) -> None:
        """Let what is being written be done."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._library is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._library.close)
        self._thread.shutdown()

    # ------------------------------------------------------------ jobs

    def begin(self, job: Job) -> None:
        """Note a job that waits, so that it can be offered again if the bridge dies."""
        order = job.submit
        if self._open_library is None or not isinstance(order, Submit):
            return
        origin, unfinished = _origin(job, order), UnfinishedJob(order.context, order.settings)

        async def note() -> str | None:
            try:
                return await self._do(lambda library: library.begin(origin, unfinished))
            except BridgeError as error:
                log(logging.WARNING, "job not noted", id=job.id, reason=error.message)
                return None

        self._entries[job.id] = asyncio.create_task(note(), name=f"note {job.id}")

    def end(self, job: Job, code: str) -> None:
        """A job has ended. One that only the bridge's own end has ended is offered again."""
        noted = self._entries.pop(job.id, None)
        if noted is None or code == "shutting_down":
            return

        async def settle() -> None:
            entry = await noted
            if entry is not None:
                try:
                    await self._do(lambda library: library.end(entry))
                except BridgeError as error:
                    log(logging.WARNING, "job's note not removed", id=job.id, reason=error.message)

        task = asyncio.create_task(settle(), name=f"settle {job.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def keep(self, job: Job, finished: TaskFinished) -> tuple[tuple[str, ...], Sentence | None]:
        """Keep a result before it is told; the entries of its layers, and what to say where it could not be kept."""
        order = job.submit
        if self._open_library is None or not isinstance(order, Submit):
            return (), None
        origin = _origin(job, order)
        try:
            entries = await self._do(
                lambda library: library.keep(origin, finished.layers, finished.pictures, finished.thumbnails)
            )
        except BridgeError as error:
            log(logging.WARNING, "result not kept", id=job.id, reason=error.message)
            return (), Sentence("This result is not kept in the library. {reason}", reason=error.message)
        return entries, None

    # ------------------------------------------------------------ what clients ask for

    async def browse(self, asked: Browse) -> Browsed:
        """Raises BridgeError ``library_unavailable``, as all that follow."""
        return await self._do(lambda library: library.browse(asked))

    async def read(self, picture_hash: str) -> bytes | None:
        """A kept picture's bytes, or None."""
        if self._open_library is None:
            return None
        return await self._do(lambda library: library.read(picture_hash))

    async def change(self, asked: Mark | Forget | KeepDocument) -> Noted:
        """Raises BridgeError ``entry_unknown`` too."""

        def change(library: Library) -> None:
            match asked:
                case Mark():
                    library.mark(asked)
                case Forget():
                    library.forget(asked.entries)
                case KeepDocument():
                    library.keep_document(asked.document, asked.keep)

        await self._do(change)
        return Noted(asked.request)

    async def _do(self, work: Callable[[Library], T]) -> T:
        opening = self._open_library
        if opening is None:
            raise BridgeError("library_unavailable")

        def done() -> T:
            if self._library is None:
                self._library = opening()
            return work(self._library)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, done)
        except OSError as error:
            raise BridgeError(
                "library_unavailable",
                "The library's folder cannot be read or written ({reason}).",
                "See that the disk of the bridge's home has room, and that the folder is yours.",
                reason=error.strerror or type(error).__name__,
            ) from error


def _origin(job: Job, order: Submit) -> Origin:
    return Origin(job.session.client, order.canvas, order.document)
