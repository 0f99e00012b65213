"""A bridge for one command: a child process with a home of its own, which ends with its parent, however that ends.

Run as ``python -m bridge.cli.hosted HOME``. Settings and checkpoints are the user's; address, token and lock are its
own, so that it is in nobody's way. Standard input is the parent's hand: when it lets go, the bridge stops.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from ..client import Address
from ..home import find_home
from ..server.app import serve
from ..server.errors import StartError
from ..server.runtime import RuntimeFile
from ..server.settings import load_settings
from .exits import CliError, Exit

__all__ = ["hosted_bridge"]

_LISTENS = "Paintbridge listens on "
_LOG = "bridge.log"
_STOP_SECONDS = 20.0
# Ctrl-C is for us: the job is cancelled first, then the bridge is stopped.
_ALONE: dict[str, Any] = {"start_new_session": True}
if sys.platform == "win32":
    _ALONE = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


@contextlib.contextmanager
def hosted_bridge() -> Iterator[Address]:
    """Start a bridge, give its address, and stop it. Its log is kept when the command fails.

    Raises:
        CliError: it could not be started.
    """
    # Bridges of their own must not be told apart by a name: two commands may run at once.
    try:
        home = Path(tempfile.mkdtemp(prefix="paintbridge-"))
    except OSError as error:
        raise CliError(
            f"No bridge can be started: there is no folder for temporary files ({error.strerror}).",
            "Make room on the disk, or name a folder that can be written in TMPDIR.",
            exit_code=Exit.NO_BRIDGE,
            code="no_bridge",
        ) from None
    try:
        with (home / _LOG).open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", __name__, str(home)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                **_ALONE,
            )
        try:
            yield _address(child, home)
        finally:
            _stop(child)
    except Exception as error:
        kept = _keep_log(home)
        if kept is not None:
            error.add_note(f"The bridge's log is in {kept}.")
        raise
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _address(child: subprocess.Popen[bytes], home: Path) -> Address:
    assert child.stdout is not None
    line = child.stdout.readline().decode("utf-8", errors="replace").strip()
    if line.startswith(_LISTENS):
        found = RuntimeFile(home).read()
        return Address(found["url"], found["token"], "a bridge for this command")
    try:
        words = json.loads(line)
    except ValueError:
        words = {"message": "A bridge could not be started.", "hint": "Run `paintbridge doctor`."}
    raise CliError(words["message"], words["hint"], exit_code=Exit.NO_BRIDGE, code="no_bridge")


def _stop(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(OSError):
        child.stdin.close()
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    child.stdout.close()


def _keep_log(home: Path) -> Path | None:
    log = home / _LOG
    if not log.is_file() or not log.stat().st_size:
        return None
    try:
        handle, kept = tempfile.mkstemp(prefix="paintbridge-", suffix=".log")
        os.close(handle)
        shutil.copyfile(log, kept)
    except OSError:
        # The error that is being told is the more important one.
        return None
    return Path(kept)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGTERM)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


def _serve(home: Path) -> None:
    parent = os.getppid()
    try:
        settings = load_settings()
        settings = replace(
            settings,
            host="127.0.0.1",
            port=0,
            a1111_port=0,
            tls_certificate=None,
            tls_key=None,
            models_folders=(find_home().models, *settings.models_folders),
            log_level="warning",
        )
        threading.Thread(target=_end_with_parent, daemon=True).start()
        serve(settings, home=home)
    except StartError as error:
        print(json.dumps({"message": error.message, "hint": error.hint}), flush=True)
    # A parent that was killed has left it behind.
    if os.getppid() != parent or not psutil.pid_exists(parent):
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
