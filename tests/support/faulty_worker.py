"""The real worker process, in which a fault happens where a job's prompt says.

A prompt is a fault and a stage: ``kill encode`` ends the process by a signal when that stage has begun, ``pause
encode`` waits there for the job's cancel, ``hang encode`` for ever, and ``starve encode`` lets what the stage computes
with run out of memory. Any other prompt is painted.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from bridge.engine import worker
from bridge.engine.messages import WorkerSettings
from bridge.protocol.messages import Submit

__all__ = ["main"]

_starving = threading.Event()


class _Hooks(worker._Hooks):
    def stage(self, name: str, step: int, steps: int) -> None:
        super().stage(name, step, steps)
        order = self._job.run.submit
        words = order.settings.conditioning.prompt if isinstance(order, Submit) else ""
        fault, _, where = words.partition(" ")
        _starving.clear()
        if where != name:
            return
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault == "starve":
            _starve()
            _starving.set()
        while fault in ("pause", "hang"):
            time.sleep(0.01)
            if fault == "pause":
                self.check()


def _starve() -> None:
    """Have models run out of memory while ``_starving`` is set: when they are loaded, and when they compute."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    from bridge.diffusion.loading import ModuleLoader

    def scarce(real: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            if _starving.is_set():
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return real(*args, **options)

        call.starved = True  # type: ignore[attr-defined]
        return call

    for owner, name in (
        (ModuleLoader, "__call__"),
        (AutoencoderKL, "encode"),
        (AutoencoderKL, "decode"),
        (UNet2DConditionModel, "forward"),
    ):
        real = getattr(owner, name)
        if not hasattr(real, "starved"):
            setattr(owner, name, scarce(real))


def main(connection: Connection, settings: WorkerSettings) -> None:
    """The child's entry point."""
    worker._Hooks = _Hooks  # type: ignore[misc]
    worker.main(connection, settings)
