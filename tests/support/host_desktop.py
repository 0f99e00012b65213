"""A desktop for one host: a screen that nobody sees, a private /tmp, and hands that click and type.

In a :class:`~host_room.HostRoom` with a chroot all of it lives in namespaces of its own: mounts and processes end with
the desktop, and that with the test, however it ends. The network is shared: a host finds a bridge that runs outside.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import psutil
from host_room import HostRoom
from mortal import mortal

__all__ = ["Desktop", "wait_for"]

_PATIENCE = 300.0
# Of an X server with evdev's keys. By its name xdotool would press Alt with it: newer keymaps have F keys with several
# levels, and it takes the one that switches the terminal.
_F_KEYS = {f"F{number}": 66 + number for number in range(1, 11)} | {"F11": 95, "F12": 96}
_MOUNTS = """
set -eu
root=$1 share=$2
shift 2
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root$share"
mount --bind "$share" "$root$share"
exec chroot "$root" "$@"
"""


def wait_for(condition: Callable[[], Any], what: str, patience: float = _PATIENCE) -> Any:
    """Wait until ``condition`` gives something, and return that."""
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}"
        time.sleep(0.05)


class Desktop:
    """Use it as a context manager.

    Args:
        share: a folder that the host sees at the same path; everything that passes between it and a test lies there,
            its home too (``home``, made here).
    """

    def __init__(self, room: HostRoom, share: Path, *, width: int = 1600, height: int = 1000) -> None:
        assert share.is_absolute()
        assert str(share).startswith("/tmp/"), "in the chroot only /tmp can hold it"
        self.share = share
        self.home = share / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        self.room = room
        self.size = (width, height)
        self._screen: subprocess.Popen[bytes] | None = None
        self._anchor = 0
        self._display = ""
        self._started: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []

    def __enter__(self) -> Desktop:
        server = self._server()
        if self.room.root is not None:
            alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-c", _MOUNTS, "sh"]
            server = [*alone, str(self.room.root), str(self.share), *server]
        log = self.share / "screen.log"
        output = log.open("wb")
        self._logs.append(output)
        self._screen = subprocess.Popen(mortal(server), stdout=subprocess.PIPE, stderr=output)
        assert self._screen.stdout is not None
        self._display = self._screen.stdout.readline().strip().decode()
        assert self._display, log.read_text()
        if self.room.root is not None:
            (self._anchor,) = (child.pid for child in psutil.Process(self._screen.pid).children())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            self.kill(process)
        assert self._screen is not None
        assert self._screen.stdout is not None
        # In the chroot this is the namespace's first process: everything that is still in there ends with it.
        self._screen.kill()
        self._screen.wait()
        self._screen.stdout.close()
        for log in self._logs:
            log.close()

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a program of this desktop sees; nothing of the test's own environment."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/games",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "NO_AT_BRIDGE": "1",
            **self._session(),
            **(extra or {}),
        }

    def start(
        self, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program. It is ended with the desktop at the latest."""
        output = log.open("ab")
        self._logs.append(output)
        process = subprocess.Popen(
            mortal(self._inside(command)), env=self.environment(environment), stdout=output, stderr=output
        )
        self._started.append(process)
        return process

    def run(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> str:
        """Run a program to its end, and return what it printed.

        Raises:
            subprocess.CalledProcessError: it failed.
        """
        done = subprocess.run(
            self._inside(command),
            env=self.environment(environment),
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE,
        )
        return done.stdout

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a program that was started here, with its children."""
        if process.poll() is None:
            for inner in psutil.Process(process.pid).children(recursive=True):
                # One may have ended since, as with its parent.
                with suppress(psutil.NoSuchProcess):
                    inner.send_signal(signal.SIGKILL)
            process.kill()
        process.wait()

    def xdotool(self, *arguments: object) -> str:
        """The hands: move, click, type, find windows."""
        words = [str(argument) for argument in arguments]
        if words[0] == "key":
            words = [_by_code(word) for word in words]
        return self.run(["xdotool", *words]).strip()

    def screenshot(self, path: Path) -> Path:
        """The whole screen, into a file anywhere."""
        inner = self.share / "screenshot.png"
        self.run(self._camera(inner))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(inner.read_bytes())
        return path

    def _server(self) -> list[str]:
        """What shows the screen. It writes the name of its display, in a line."""
        # -displayfd: the server itself finds a number that nobody has; abstract sockets are shared with everybody.
        screen = "{}x{}x24".format(*self.size)
        return ["Xvfb", "-displayfd", "1", "-screen", "0", screen, "-nolisten", "tcp", "-noreset"]

    def _session(self) -> dict[str, str]:
        """How a program finds the screen."""
        return {"DISPLAY": f":{self._display}"}

    def _camera(self, path: Path) -> list[str]:
        """What takes a picture of it."""
        return ["import", "-window", "root", str(path)]

    def _inside(self, command: Sequence[str]) -> list[str]:
        if self.room.root is None:
            return list(command)
        target = ["--target", str(self._anchor)]
        return ["nsenter", *target, "--mount", "--pid", f"--root=/proc/{self._anchor}/root", "--wd=/", "--", *command]


def _by_code(keys: str) -> str:
    """F keys by their codes, alone or with others: ``shift+F9``."""
    *held, last = keys.split("+")
    return "+".join([*held, str(_F_KEYS.get(last, last))])
