"""The runtime file: where clients find the bridge's address and token, and how to start it. One bridge a file.

``runtime.json`` lies in the bridge's home with mode 0600. It stays when the bridge stops, with ``pid`` null: it keeps
the token and the command that starts the bridge again. Whether a bridge serves is told by a lock that the operating
system frees however the bridge ends.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from ..home import Home
from ..protocol.messages import PROTOCOL_VERSION
from .errors import AlreadyRunning, HomeUnwritable
from .logs import log

__all__ = ["RuntimeFile", "check_home"]

# What a small file takes on any disk.
_TRIED_BYTES = 4096

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def check_home(home: Path) -> None:
    """See that something can be written into the home; into the folder that it would be made in, if it is not there.

    Raises:
        HomeUnwritable: that fails.
    """
    folder = home
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_TRIED_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise HomeUnwritable(home, error) from error


class RuntimeFile:
    """The runtime file of one home.

    Keys: ``url`` (of the websocket), ``token``, ``pid`` (null when stopped), ``protocol`` (version), ``bridge``
    (version), ``start_command`` (a list, or null when no bridge has run yet).
    """

    def __init__(self, home: Path) -> None:
        self.path = Home(home).runtime_file
        self._lock_path = Home(home).runtime_lock
        self._lock_file: IO[bytes] | None = None
        self._token: tuple[tuple[int, int, int], str] | None = None

    def acquire(self) -> None:
        """Become the one bridge of this home.

        Raises:
            AlreadyRunning: another bridge serves from it.
            HomeUnwritable: the home cannot be written.
        """
        try:
            self._make_home()
            file = self._lock_path.open("ab")
        except OSError as error:
            raise HomeUnwritable(self.path.parent, error) from None
        try:
            _lock(file)
        except OSError:
            file.close()
            found = self.read()
            raise AlreadyRunning(str(found.get("url") or ""), found.get("pid")) from None
        self._lock_file = file

    def publish(self, *, url: str, bridge: str, start_command: Sequence[str]) -> None:
        """Say where the bridge listens. The token is kept, or made when there is none.

        Raises:
            HomeUnwritable: that cannot be said.
        """
        said = {
            "url": url,
            "token": self._kept_token(),
            "pid": os.getpid(),
            "protocol": PROTOCOL_VERSION,
            "bridge": bridge,
            "start_command": list(start_command),
        }
        try:
            self._write(said)
        except OSError as error:
            raise HomeUnwritable(self.path.parent, error) from None

    def release(self) -> None:
        """Say that the bridge has stopped, and let another one start. Where that cannot be written, the lock and the
        process's id tell it all the same.
        """
        if self._lock_file is None:
            return
        found = self.read()
        if found.get("pid") == os.getpid():
            try:
                self._write({**found, "pid": None})
            except OSError as error:
                log(logging.WARNING, "runtime file not written", reason=error.strerror)
        self._lock_file.close()
        self._lock_file = None

    def read(self) -> dict[str, Any]:
        """What the file says; empty when there is none, or it is not one of ours."""
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def token(self) -> str:
        """The token that is valid now. Read again only when the file has changed, so that a rotation counts at once."""
        try:
            status = self.path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = (0, 0, 0)
        if self._token is None or self._token[0] != stamp:
            found = self.read().get("token")
            if isinstance(found, str) and found:
                self._token = (stamp, found)
        # A file that was deleted under a running bridge leaves its token valid. Without any nobody comes in.
        return self._token[1] if self._token else secrets.token_urlsafe(32)

    def rotate_token(self) -> str:
        """Make a new token. A running bridge refuses the old one from now on; open connections stay open.

        Raises:
            HomeUnwritable: the old one stays valid.
        """
        token = secrets.token_urlsafe(32)
        empty = {"url": "", "pid": None, "protocol": PROTOCOL_VERSION, "bridge": "", "start_command": None}
        try:
            self._make_home()
            self._write({**empty, **self.read(), "token": token})
        except OSError as error:
            raise HomeUnwritable(self.path.parent, error) from None
        return token

    def _kept_token(self) -> str:
        found = self.read().get("token")
        return found if isinstance(found, str) and len(found) >= 32 else secrets.token_urlsafe(32)

    def _make_home(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # It may have been made by others, with wider permissions.
        self.path.parent.chmod(0o700)

    def _write(self, content: dict[str, Any]) -> None:
        # mkstemp makes files of mode 0600, so the token is never readable by others, not even for a moment.
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix="runtime-", suffix=".json")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            _replace(temporary, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def _replace(source: str, target: Path) -> None:
    for _ in range(20):
        try:
            os.replace(source, target)
        except PermissionError:
            # Windows refuses while a client reads the file, which takes it an instant.
            if sys.platform != "win32":
                raise
            time.sleep(0.05)
        else:
            return
    os.replace(source, target)
