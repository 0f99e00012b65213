"""Starting the bridge for an artist who has none running, and how to get one where there is none to start."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

from ..errors import Sentence
from ..home import HOME_VARIABLE, find_home
from .discovery import Address, discover, start_hint
from .errors import BadAddress, BridgeNotFound, ClientError, NotRunning

__all__ = ["StartFailed", "can_start", "install_commands", "start"]

_PAUSE = 0.1
_ANSWER_SECONDS = 2.0
_WORDS_SHOWN = 500
_LEAST_BYTES = 1 << 16
# What hosts that bring their own libraries set for themselves; another program would load the wrong ones.
_HOSTS_OWN = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_LIBRARY_PATH",
)
_FLATPAK = Path("/.flatpak-info")


class StartFailed(ClientError):
    """The bridge could not be started, or did not say in time where it listens."""


def can_start(command: Sequence[str]) -> bool:
    """Whether the program that starts the bridge is there."""
    # Out of a sandbox nobody can see it: then only trying tells.
    return _FLATPAK.exists() or shutil.which(command[0]) is not None


def install_commands(system: str = sys.platform) -> tuple[str, ...]:
    """What to type, in the folder that Paintbridge was unpacked into, where it has not been installed yet."""
    if system == "win32":
        return ("py -m venv .venv", r".venv\Scripts\pip install .", r".venv\Scripts\paintbridge serve")
    if system == "darwin":
        return ("xcode-select --install", "make serve")
    if shutil.which("apt-get") is not None:
        return ("sudo apt install make python3-venv", "make serve")
    return ("make serve",)


def start(command: Sequence[str], *, patience: float = 120.0, environ: Optional[Mapping[str, str]] = None) -> Address:
    """Start the bridge unless one answers, and wait until one does. It outlives its starter. Blocks: for a thread.

    Args:
        command: ``start_command`` of :class:`.errors.BridgeNotFound`.
        patience: seconds.
        environ: in place of ``os.environ``.

    Raises:
        StartFailed: it ended at once, said nothing in time, or could not be run at all.
    """
    env = dict(os.environ if environ is None else environ)
    with contextlib.suppress(BridgeNotFound):
        return _answering(env)
    log = find_home(env).start_log
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*_outwards(env), *command],
                env={name: value for name, value in env.items() if name not in _HOSTS_OWN},
                cwd=Path.home(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **_detached(),
            )
    except OSError as error:
        raise _failed(command, f"{error.strerror}.") from error
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            return _answering(env)
        except (BridgeNotFound, BadAddress):
            # Not there yet; or, where files are not replaced at one stroke, being written.
            pass
        # Another one that was faster makes this one end, and then there is a bridge all the same.
        if process.poll() is not None:
            raise _failed(command, _last_words(log))
        time.sleep(_PAUSE)
    raise _failed(
        command, Sentence("It did not say within {seconds} seconds where it listens.", seconds=f"{patience:.0f}")
    )


def _answering(env: Mapping[str, str]) -> Address:
    """Raises as :func:`.discovery.discover`; also NotRunning where a bridge that was killed has left its file."""
    address = discover(environ=env)
    parts = urlsplit(address.url)
    try:
        port = parts.port or {"ws": 80, "wss": 443}[parts.scheme]
        socket.create_connection((str(parts.hostname), port), _ANSWER_SECONDS).close()
    except OSError as error:
        raise NotRunning(
            "The bridge is not running.", start_hint(address.start_command), address.start_command
        ) from error
    return address


def _last_words(log: Path) -> str:
    """What a bridge that ended has said; on a full disk it could not say it here."""
    said = log.read_text(encoding="utf-8", errors="replace").strip()[-_WORDS_SHOWN:]
    if said or shutil.disk_usage(log.parent).free >= _LEAST_BYTES:
        return said
    return Sentence("The disk with {folder} is full.", folder=log.parent)


def _failed(command: Sequence[str], words: str) -> StartFailed:
    line = " ".join(shlex.quote(word) for word in command)
    return StartFailed(
        "The bridge could not be started. {words}", "Try it in a terminal: {line}", words=words, line=line
    )


def _outwards(env: Mapping[str, str]) -> list[str]:
    """A Flatpak's programs run in a sandbox; the bridge is outside."""
    if not _FLATPAK.exists():
        return []
    named = [f"--env={HOME_VARIABLE}={find_home(env).folder}"] if env.get(HOME_VARIABLE) else []
    return ["flatpak-spawn", "--host", *named]


def _detached() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}
