"""What becomes of a job when something is taken away: the user's patience, the worker, the command itself."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from bridge.cli.exits import Exit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")

PATIENCE = 90.0


class Command:
    """A fill that would take minutes, in a terminal of its own, whose progress bar says when the model is at work."""

    def __init__(self, image: Path, home: Path, **environment: str) -> None:
        import pty

        self._terminal, its_end = pty.openpty()
        self.process = psutil.Popen(
            [sys.executable, "-m", "bridge.cli", "fill", str(image), "--rect", "50,50,300,300", "--checkpoint", "slow",
             "--prompt", "a rock", "-o", str(image.with_name("o.png"))],
            env={**os.environ, "PAINTBRIDGE_HOME": str(home), "TERM": "xterm", **environment},
            stdin=its_end, stdout=subprocess.DEVNULL, stderr=its_end, start_new_session=True,
        )  # fmt: skip
        os.close(its_end)
        self.shown = b""
        while b"Painting" not in self.shown:
            self.shown += os.read(self._terminal, 4096)

    def end(self) -> int:
        """Read what is shown up to the end; gives the exit code."""
        with contextlib.suppress(OSError):
            while more := os.read(self._terminal, 4096):
                self.shown += more
        return int(self.process.wait(PATIENCE))

    def close(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.process.kill()
        os.close(self._terminal)


@pytest.fixture
def image(save: Callable[..., Path]) -> Path:
    return save("a.png", np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8))


@pytest.fixture
def painting(home: Path, image: Path, tmp_path: Path) -> Iterator[Command]:
    """A command at work, with a bridge that it has started for itself."""
    command = Command(image, tmp_path / "home", PAINTBRIDGE_MODELS_FOLDERS=str(home / "models"))
    yield command
    command.close()


def test_an_interrupt_cancels_the_job_first(running: Path, run: Any, image: Path) -> None:
    command = Command(image, running)
    command.process.send_signal(signal.SIGINT)
    assert command.end() == Exit.INTERRUPTED, command.shown
    command.close()
    assert command.shown.rstrip().endswith(b"paintbridge: Interrupted.")
    assert b"Traceback" not in command.shown
    assert not image.with_name("o.png").exists()
    # The bridge is free again at once: that job would have taken minutes.
    assert run("fill", image, "--rect", "50,50,60,60", "-o", image.with_name("o.png"), home=running).code == 0


def test_a_worker_that_is_killed_fails_the_job_in_one_sentence(painting: Command) -> None:
    children = painting.process.children(recursive=True)
    max(children, key=lambda child: child.memory_info().rss).kill()
    assert painting.end() == Exit.FAILED, painting.shown
    assert b"Traceback" not in painting.shown
    words = re.sub(rb"\s+", b" ", painting.shown)
    assert b"process that paints" in words
    log = re.search(rb"The bridge's log is in (\S+\.log)", words)
    assert log is not None
    Path(log.group(1).decode()).unlink()


def test_a_command_that_is_killed_takes_its_bridge_along(painting: Command) -> None:
    children = painting.process.children(recursive=True)
    assert len(children) >= 2
    host = next(child for child in children if "bridge.cli.hosted" in child.cmdline())
    home = Path(host.cmdline()[-1])
    assert (home / "runtime.json").exists()
    painting.process.kill()
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert not alive
    assert not home.exists()
