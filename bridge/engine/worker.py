"""The worker process: takes jobs from its pipe, one at a time, and paints them.

Three threads. The main one paints. The reader takes what the engine says, so that a cancel is seen while a step is
being worked at; when the pipe ends the engine is dead, and the reader ends the process at once. The heart beats. All
that is slow to import is imported after the heart has begun.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import logging
import math
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from typing import TYPE_CHECKING, Any, TypeVar

from ..protocol.errors import BridgeError
from ..protocol.messages import CHUNK_BYTES, PREVIEW_SIDE, Stage, Train
from ..protocol.pixels import Buffer
from . import shared
from .estimate import TimeLeft
from .messages import (
    Beat,
    Begun,
    Cancel,
    Failed,
    Finished,
    Free,
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
from .port import TaskCancelled, TaskPreview, TaskProgress

if TYPE_CHECKING:
    from .executor import JobExecutor

__all__ = ["main"]

_log = logging.getLogger(__name__)


T = TypeVar("T")


def main(connection: Connection, settings: WorkerSettings) -> None:
    """Work until told to stop. The child's entry point; does not return."""
    # Ctrl-C in a terminal reaches this process too, but it is for the engine to decide when to end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.stderr is not None:
        faulthandler.enable()
    os.environ["HF_HUB_OFFLINE"] = "1"
    # OpenMP's threads wait for each other by spinning, which is bad company for a busy painting program: beside one
    # busy process on two cores, a tiny step took 1.2 s so, and 15 ms with sleeping. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Those of numpy's BLAS spin likewise, and its matrices here are small: with one thread the infill takes 0.7 times
    # as long. Torch has its own. Read when numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _be_the_first_to_go()
    worker = _Worker(connection, settings)
    code = 1
    try:
        worker.work()
        code = 0
    except BridgeError as error:
        worker.say(Unfit(error.message, error.hint))
    except Exception:  # noqa: BLE001 (the last resort: it goes to the log, and the engine sees the exit code)
        _log.exception("The worker process cannot go on.")
    # Not by way of the interpreter's own end, which waits for what libraries have left running.
    connection.close()
    os._exit(code)


def _be_the_first_to_go() -> None:
    """When memory runs out, Linux should end this process rather than the bridge or the artist's editor."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("500")


@dataclass
class _Job:
    run: Run
    cancelled: threading.Event = field(default_factory=threading.Event)


class _Worker:
    def __init__(self, connection: Connection, settings: WorkerSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._saying = threading.Lock()
        self._waiting: queue.SimpleQueue[_Job | Free | None] = queue.SimpleQueue()
        self._jobs: dict[int, _Job] = {}
        self._results: dict[int, SharedMemory] = {}
        self._tail: float | None = None
        _log_through(self, settings.log_level)
        for thread in (self._read, self._beat):
            threading.Thread(target=thread, name=f"paintbridge{thread.__name__}", daemon=True).start()

    def work(self) -> None:
        """Find the device, then do jobs until told to stop.

        Raises:
            BridgeError: the settings ask for what is not there.
        """
        from .executor import open_executor, warm_up

        executor, device = open_executor(self._settings)
        self.say(Ready(device))
        warm_up()
        # Half a million objects of libraries, which each full collection would look through for a quarter of a second.
        gc.freeze()
        while (job := self._waiting.get()) is not None:
            if isinstance(job, Free):
                executor.free()
                continue
            self._do(executor, job)
            del self._jobs[job.run.number]

    def say(self, message: Any) -> None:
        """Tell the engine. A pipe that is broken is the reader's business."""
        with self._saying, contextlib.suppress(OSError):
            self._connection.send(message)

    # ------------------------------------------------------------ threads

    def _beat(self) -> None:
        while True:
            self.say(Beat())
            time.sleep(self._settings.heartbeat_seconds)

    def _read(self) -> None:
        try:
            while True:
                self._take(self._connection.recv())
        except (EOFError, OSError):
            pass
        except Exception:  # noqa: BLE001 (a worker that is deaf must end)
            _log.exception("The worker process cannot hear the engine.")
        finally:
            # The engine is dead, so nobody wants what is being painted.
            os._exit(1)

    def _take(self, message: Any) -> None:
        if isinstance(message, Run):
            job = self._jobs[message.number] = _Job(message)
            self._waiting.put(job)
        elif isinstance(message, Cancel):
            told = self._jobs.get(message.number)
            if told is not None:
                told.cancelled.set()
        elif isinstance(message, ResultTaken):
            self._results.pop(message.number).close()
        elif isinstance(message, Free):
            self._waiting.put(message)
        elif isinstance(message, Stop):
            self._stop()

    def _stop(self) -> None:
        if not self._jobs:
            # Nothing is lost, and the main thread may be busy importing.
            os._exit(0)
        for job in list(self._jobs.values()):
            job.cancelled.set()
        self._waiting.put(None)

    # ------------------------------------------------------------ jobs

    def _do(self, executor: JobExecutor, job: _Job) -> None:
        from ..painter import Cancelled
        from .inputs import read_inputs

        number = job.run.number
        self.say(Begun(number))
        try:
            hooks = _Hooks(job, self.say, TimeLeft(self._tail))
            hooks.check()
            order = job.run.submit
            if isinstance(order, Train):
                images = self._read_inputs(job.run, partial(executor.trainer.images, order))
                self.say(Happened(number, executor.train(order, images, hooks)))
                return
            painted = executor.do(order, self._read_inputs(job.run, partial(read_inputs, order)), hooks)
            hooks.check()
            segment, self._results[number] = shared.create(job.run.result, painted.pictures)
            self._tail = hooks.time_left.tail()
            self.say(Finished(number, painted.layers, segment, painted.reach, painted.timings, painted.hints))
        except Cancelled:
            self.say(Happened(number, TaskCancelled()))
        except Exception as error:  # noqa: BLE001 (one job's failure is never the worker's)
            self._fail(executor, number, error)

    def _read_inputs(self, run: Run, read: Callable[[Mapping[str, Buffer]], T]) -> T:
        """What ``read`` makes of the job's pictures, of which it may keep no view."""
        if run.inputs is None:
            return read({})
        memory = shared.open_segment(run.inputs)
        pictures = shared.slices(run.inputs, memory)
        try:
            return read(pictures)
        except Exception as error:
            # Its frames hold on to the pictures, which could not be released.
            traceback.clear_frames(error.__traceback__)
            raise
        finally:
            for picture in pictures.values():
                picture.release()
            memory.close()
            self.say(InputsRead(run.number))

    def _fail(self, executor: JobExecutor, number: int, error: Exception) -> None:
        from .inputs import bridge_error

        told = bridge_error(error)
        if told is None:
            _log.error("A job failed.", exc_info=error)
            told = BridgeError("internal")
        if told.code == "out_of_memory":
            traceback.clear_frames(error.__traceback__)
            executor.free()
        self.say(Failed(number, told.code, told.message, told.hint))


class _Hooks:
    """How the painter is followed and cancelled (:class:`bridge.painter.Hooks`)."""

    def __init__(self, job: _Job, say: Callable[[Any], None], time_left: TimeLeft) -> None:
        self._job = job
        self._say = say
        self.time_left = time_left

    def stage(self, name: str, step: int, steps: int) -> None:
        event = TaskProgress(Stage(name), step, steps, self.time_left(name, step, steps))
        self._say(Happened(self._job.run.number, event))

    def preview(self, rgb: Any, step: int) -> None:
        """``rgb`` is (h, w, 3) uint8; small, so it goes through the pipe."""
        # A preview must fit into one frame of the wire.
        stride = math.ceil(max(max(rgb.shape) / PREVIEW_SIDE, math.sqrt(rgb.nbytes / CHUNK_BYTES)))
        rgb = rgb[::stride, ::stride]
        height, width, _ = rgb.shape
        self._say(Happened(self._job.run.number, TaskPreview(step, width, height, rgb.tobytes())))

    def check(self) -> None:
        from ..painter import Cancelled

        if self._job.cancelled.is_set():
            raise Cancelled


def _log_through(worker: _Worker, level: int) -> None:
    """Have the engine write this process's log."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            worker.say(Logged(record.name, record.levelno, self.format(record)))

    logging.basicConfig(level=logging.WARNING, handlers=[Handler()], force=True)
    logging.getLogger("bridge").setLevel(level)
    logging.captureWarnings(True)
