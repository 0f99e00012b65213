"""``paintbridge serve`` in a process whose machine misbehaves, with :mod:`faulty_worker` for its worker.

SIGUSR1 sets the process's clock forward by a day, SIGUSR2 back by two. With ``FAULTY_FILE_BYTES`` no file of it or of
its children may become larger: the system refuses to write on, as a disk does that is full.
"""

from __future__ import annotations

import datetime
import os
import resource
import signal
import sys
import time
from typing import Any

__all__ = ["BEAT_SECONDS", "SILENT_SECONDS"]

BEAT_SECONDS, SILENT_SECONDS = 0.1, 5.0
_DAY = 86400.0

_ahead = 0.0
_time, _datetime = time.time, datetime.datetime


class _Jumping(_datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _datetime.now(tz) + datetime.timedelta(seconds=_ahead)


def _jump(seconds: float) -> Any:
    def handle(_number: int, _frame: Any) -> None:
        global _ahead  # noqa: PLW0603
        _ahead += seconds

    return handle


def main() -> int:
    """Before anything of the bridge's is imported, for its modules hold on to the functions that they import."""
    time.time = lambda: _time() + _ahead
    time.time_ns = lambda: int(time.time() * 1e9)
    datetime.datetime = _Jumping  # type: ignore[misc]
    signal.signal(signal.SIGUSR1, _jump(_DAY))
    signal.signal(signal.SIGUSR2, _jump(-2 * _DAY))
    if most := int(os.environ.get("FAULTY_FILE_BYTES", "0")):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    from functools import partial

    from bridge.cli import main as command_line
    from bridge.server import app

    app.EngineSettings = partial(  # type: ignore[misc, assignment]
        app.EngineSettings,
        worker="faulty_worker:main",
        heartbeat_seconds=BEAT_SECONDS,
        silent_seconds=SILENT_SECONDS,
        back_off_seconds=0.01,
    )
    return command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
