"""Commands on a disk that is full, or that cannot be written to: real ones, in a mount namespace of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

__all__ = ["DISKS", "run_on"]

# $0 is the folder. Of the full disk every inode is free, so that files can be made and nothing can stand in them.
_FULL = 'mount -t tmpfs -o size=64k none "$0" && { dd if=/dev/zero of="$0/ballast" bs=4k 2>/dev/null; exec "$@"; }'
_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
DISKS = {"full": _FULL, "read-only": _READ_ONLY}


def run_on(disk: str, folder: Path, *command: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command while ``folder`` is a disk of :data:`DISKS`; ``home`` is the bridge's, None: in that folder. Skips
    where a process cannot have mounts of its own.
    """
    unshare = ["unshare", "--mount", "--map-root-user"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no mount namespaces here")
    environment = {name: value for name, value in os.environ.items() if name not in ("PAINTBRIDGE_URL", "TMPDIR")}
    return subprocess.run(
        [*unshare, "sh", "-c", DISKS[disk], str(folder), *command],
        env={**environment, "PAINTBRIDGE_HOME": str(home or folder / "home")},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def paintbridge(*arguments: str) -> Sequence[str]:
    """The command line, as a command."""
    return (sys.executable, "-m", "bridge.cli", *arguments)
