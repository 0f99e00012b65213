"""A real bridge beside a real host: a process of its own, whose home lies in the desktop's share."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import psutil
from host_desktop import wait_for
from mortal import mortal
from whole_bridge import PATIENCE, Scene, Watch

from bridge.client import Address, Bridge, Job, discover
from bridge.protocol.messages import Queued, Started

__all__ = ["HostBridge"]


_SMALL = Scene.of(64, 48, (20, 15, 20, 15))


class HostBridge:
    """Use it as a context manager, or :meth:`start` and :meth:`stop` it. ``home`` is its folder."""

    command: tuple[str, ...] = (sys.executable, "-m", "bridge.cli")

    def __init__(self, home: Path, *flags: str) -> None:
        self.home = home
        self.log = home / "bridge.log"
        self._flags = flags
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.home.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "PAINTBRIDGE_HOME": str(self.home), "PYTHONUNBUFFERED": "1"}
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                mortal([*self.command, "serve", "--port", "0", *self._flags], signal="TERM"),
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("Paintbridge listens on"), self.log.read_text()

    def stop(self) -> None:
        """End it as an artist would."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(60)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def address(self) -> Address:
        return discover(environ={"PAINTBRIDGE_HOME": str(self.home)})

    def jobs(self) -> list[dict[str, str]]:
        """What its log says of the jobs that have ended."""
        lines = [line for line in self.log.read_text().splitlines() if " job id=" in line]
        return [{"time": line.split()[0], **dict(re.findall(r"(\w+)=(\S+)", line))} for line in lines]

    def connections(self) -> int:
        """How many clients have connected so far."""
        return self.log.read_text().count(" info connected ")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile the process that paints stands still, wherever it is."""
        assert self._process is not None
        children = psutil.Process(self._process.pid).children(recursive=True)
        # The only one that holds torch.
        worker = max(children, key=lambda child: child.memory_info().rss)
        worker.suspend()
        try:
            yield
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.resume()

    def until_busy(self, client: Bridge) -> Job:
        """Wait until somebody else's job runs, by having a small one wait for its turn behind it. Returns that one."""

        def waits() -> Job | None:
            watch = Watch()
            job = _SMALL.submit(client, on_event=watch, steps=1)
            watch.wait(lambda event: isinstance(event, (Queued, Started)))
            if isinstance(watch.events[0], Queued) and watch.events[0].position > 0:
                return job
            job.result(PATIENCE)
            return None

        found: Job = wait_for(waits, "somebody's job to run")
        return found

    def __enter__(self) -> HostBridge:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self.stop()
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert "Traceback" not in self.log.read_text()
