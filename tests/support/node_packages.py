"""Node for the tests, and packages from npm by a folder's lock file. Skips loudly where there are none; fails in CI."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

__all__ = ["install_packages", "missing"]


def install_packages(folder: Path) -> Path:
    """The folder, once ``npm ci`` has brought what its ``package-lock.json`` names."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        missing(f"no node and npm here: what {folder.name} holds was not run")
    stamp = folder / "node_modules" / ".installed"
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            missing(f"npm could not install the packages of {folder.name}: {done.stderr[-500:]}")
        stamp.write_text(wanted)
    return folder


def missing(reason: str) -> NoReturn:
    """What a test needs is not here."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
