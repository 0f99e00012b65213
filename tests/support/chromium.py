"""For the page's tests: a real Chromium, and Node with the packages that drive it.

Where they are missing they are installed: Debian's ``chromium`` by apt where that is allowed (root, Linux), and the
packages of ``tests/page`` by ``npm ci``. Else the tests are skipped, loudly; in CI they fail.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

__all__ = ["PAGE_TESTS", "chromium", "node_folder"]

PAGE_TESTS = Path(__file__).parent.parent / "page"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program."""
    found = _find()
    if found is None and sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            subprocess.run(["apt-get", "--quiet", *command], env=environment, capture_output=True, check=False)
        found = _find()
    return found or _missing("no Chromium here, and none could be installed: the page was not looked at")


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """``tests/page``, with its packages installed."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        _missing("no node and npm here: the page was not tested")
    lock = PAGE_TESTS / "package-lock.json"
    stamp = PAGE_TESTS / "node_modules" / ".installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=PAGE_TESTS, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            _missing(f"npm could not install the page's test packages: {done.stderr[-500:]}")
        stamp.write_text(wanted)
    return PAGE_TESTS


def _find() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, _NAMES)), None)


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
