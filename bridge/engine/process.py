"""One worker process, as the engine holds it: start it, speak to it, hear from it, and end it in bounded time.

The engine's process never imports what the worker needs: the worker's entry point is a name that only the child looks
up.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any, TypeVarTuple

from ..protocol.errors import BridgeError
from . import shared
from .messages import (
    Begun,
    Failed,
    Finished,
    Happened,
    InputsRead,
    Logged,
    Ready,
    ResultTaken,
    Run,
    Stop,
    Unfit,
    WorkerSettings,
)
from .port import EngineEvent, Task, TaskFailed, TaskFinished

__all__ = ["WorkerProcess", "crash_error"]

_log = logging.getLogger(__name__)

Arguments = TypeVarTuple("Arguments")

_TERMINATE_SECONDS = 2.0

Hear = Callable[["WorkerProcess", Ready | Unfit | Begun | Happened], None]


def _enter(entry: str, connection: Connection, settings: WorkerSettings) -> None:
    """The child's first function."""
    module, _, name = entry.partition(":")
    getattr(importlib.import_module(module), name)(connection, settings)


def crash_error(exit_code: int | None) -> BridgeError:
    """What to tell about a worker that ended by itself; ``exit_code`` as :mod:`multiprocessing` counts."""
    if exit_code == -getattr(signal, "SIGKILL", 9):
        return BridgeError(
            "worker_crashed",
            "The process that paints was killed by the system (signal 9); this job is lost.",
            "Memory may have run out: close other programs, select a smaller area or choose a smaller checkpoint, then "
            "send the job again.",
        )
    how = f"exit code {exit_code}" if exit_code is None or exit_code >= 0 else f"signal {-exit_code}"
    return BridgeError(
        "worker_crashed", "The process that paints stopped unexpectedly ({how}); this job is lost.", how=how
    )


class WorkerProcess:
    """A spawned worker. What it says is handed to ``hear`` on the event loop; ``gone`` is set when it says no more.

    All methods belong to the event loop's thread. A thread reads the pipe, and another one writes it, since a worker
    that does not read must not stop the loop.
    """

    def __init__(self, entry: str, settings: WorkerSettings, prefix: str, hear: Hear) -> None:
        self.gone = asyncio.Event()
        self.heard = 0
        self.ready = False
        self._prefix = prefix
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_enter, args=(entry, theirs, settings), name="paintbridge-worker", daemon=True
        )
        self._process.start()
        # The child's copy must be the only one: its end is how the reader learns of its death.
        theirs.close()
        self._reader = threading.Thread(target=self._read, name="paintbridge-worker-reader", daemon=True)
        self._reader.start()
        self._writer = ThreadPoolExecutor(1, "paintbridge-worker-writer")
        self.pid = self._process.pid
        self._inputs: dict[int, SharedMemory] = {}
        self._ending: asyncio.Task[int | None] | None = None

    # ------------------------------------------------------------ speaking

    def run(self, number: int, task: Task) -> None:
        """Hand a task over. If its pictures do not fit into shared memory, a Failed is heard."""
        self._writer.submit(self._send_task, number, task)

    def send(self, message: Any) -> None:
        """Say something, after all that was said before."""
        self._writer.submit(self._send, message)

    def _send_task(self, number: int, task: Task) -> None:
        try:
            inputs = None
            if task.pictures:
                # Kept open until it has been read: on Windows a segment lives as long as somebody has it open.
                inputs, self._inputs[number] = shared.create(f"{self._prefix}{number}i", task.pictures)
            self._send(Run(number, task.submit, inputs, f"{self._prefix}{number}o"))
        except BridgeError as error:
            self._post(Happened(number, TaskFailed(error)))
        except Exception:  # noqa: BLE001 (the job must not wait for ever)
            _log.exception("A task could not be handed to the worker.")
            self._post(Happened(number, TaskFailed(BridgeError("internal"))))

    def _send(self, message: Any) -> None:
        # A worker that has gone is noticed by the reader.
        with contextlib.suppress(OSError):
            self._connection.send(message)

    # ------------------------------------------------------------ hearing

    def _read(self) -> None:
        try:
            while True:
                self._take(self._connection.recv())
        except (EOFError, OSError):
            pass
        except Exception:  # noqa: BLE001 (a worker that cannot be understood is as good as gone)
            _log.exception("The worker process sent what cannot be read.")
        finally:
            self._call(self.gone.set)

    def _take(self, message: Any) -> None:
        self.heard += 1
        if isinstance(message, Logged):
            logging.getLogger(message.name).log(message.level, "%s", message.text)
        elif isinstance(message, InputsRead):
            self._free_inputs(message.number)
        elif isinstance(message, Finished):
            self._post(Happened(message.number, self._collect(message)))
        elif isinstance(message, Failed):
            error = BridgeError(message.code, message.message, message.hint)
            self._post(Happened(message.number, TaskFailed(error)))
        elif isinstance(message, (Ready, Unfit, Begun, Happened)):
            self._post(message)

    def _free_inputs(self, number: int) -> None:
        memory = self._inputs.pop(number, None)
        if memory is not None:
            memory.close()
            memory.unlink()

    def _collect(self, finished: Finished) -> EngineEvent:
        """The result, its pixels copied out of shared memory and that freed."""
        try:
            pictures = shared.read(finished.result)
        except (OSError, MemoryError) as error:
            _log.exception("A result was lost.")
            return TaskFailed(BridgeError("out_of_memory" if isinstance(error, MemoryError) else "internal"))
        finally:
            shared.remove(finished.result.name)
            self.send(ResultTaken(finished.number))
        return TaskFinished(
            finished.layers, pictures, finished.reach, finished.timings, finished.hints, finished.thumbnails
        )

    def _post(self, message: Ready | Unfit | Begun | Happened) -> None:
        self._call(self._hear, self, message)

    def _call(self, function: Callable[[*Arguments], None], *arguments: *Arguments) -> None:
        # The loop may have been closed around a worker that nobody ended.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    # ------------------------------------------------------------ ending

    async def end(self, number: int | None, *, patience: float = 0.0) -> int | None:
        """End the process: ask it and wait for ``patience`` seconds, else at once; free what job ``number`` left.

        Returns:
            Its exit code, negative for a signal.
        """
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(number, patience))
        return await asyncio.shield(self._ending)

    async def _end(self, number: int | None, patience: float) -> int | None:
        if patience and not self.gone.is_set():
            self.send(Stop())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.gone.wait(), patience)
        return await asyncio.to_thread(self._end_now, number, bool(patience))

    def _end_now(self, number: int | None, gently: bool) -> int | None:
        # It may have closed its pipe a moment before its end: wait for its own exit code.
        if self.gone.is_set():
            self._process.join(_TERMINATE_SECONDS)
        if gently and self._process.is_alive():
            self._process.terminate()
            self._process.join(_TERMINATE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        exit_code = self._process.exitcode
        self._reader.join()
        self._writer.shutdown()
        self._connection.close()
        self._process.close()
        if number is not None:
            self._free_inputs(number)
            shared.remove(f"{self._prefix}{number}o")
        return exit_code
