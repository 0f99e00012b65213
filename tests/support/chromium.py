"""For the page's tests: a real Chromium, and Node with the packages that drive it.

Where they are missing they are installed: Debian's ``chromium`` by apt where that is allowed (root, Linux), and the
packages of ``tests/page`` by ``npm ci``. Else the tests are skipped, loudly; in CI they fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from node_packages import install_packages, missing

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
    return found or missing("no Chromium here, and none could be installed: the page was not looked at")


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """``tests/page``, with its packages installed."""
    return install_packages(PAGE_TESTS)


def _find() -> str | None:
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, _NAMES)), None)
