"""The desktop that hosts run on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
from host_desktop import wait_for
from host_room import HostRoom

# A test's own process, killed in the middle: a desktop with a program on it, and a bridge beside it.
_TEST = """
import sys
from pathlib import Path
from host_bridge import HostBridge
from host_desktop import Desktop
from host_room import find_host_room
share = Path(sys.argv[1])
with HostBridge(share / "bridge"), Desktop(find_host_room(), share) as desktop:
    desktop.start(["sleep", "3600"], log=share / "sleep.log")
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_nothing_is_left_of_it_when_the_test_is_killed(host_room: HostRoom, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _TEST, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    log = tmp_path / "test.log"
    pipe = subprocess.PIPE
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=environment) as test,
    ):
        assert test.stdout is not None
        assert test.stdout.readline() == "ready\n", log.read_text()
        wait_for(lambda: {"Xvfb", "sleep"} <= _names(test.pid), "the desktop and the program on it")
        below = psutil.Process(test.pid).children(recursive=True)
        assert any("bridge.cli" in process.cmdline() for process in below)
        test.kill()
    wait_for(lambda: not [process for process in below if process.is_running()], "all of it to end")


def _names(pid: int) -> set[str]:
    return {process.name() for process in psutil.Process(pid).children(recursive=True)}
