"""The house itself: rooms, types, lint, and the oldest Python that the plug-ins' half must run on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LINT_IMPORTS = (
    "import sys; from importlinter.cli import lint_imports_command; sys.argv[1:] = []; lint_imports_command()"
)
VERMIN = "import sys; from vermin.main import main; sys.exit(main())"
ON_PYTHON_39 = ["bridge/protocol", "bridge/client"]
CHECKS = {
    "rooms": ["-c", LINT_IMPORTS],
    "types": ["-m", "mypy"],
    "lint": ["-m", "ruff", "check"],
    "format": ["-m", "ruff", "format", "--check"],
    "python 3.9": ["-c", VERMIN, "-t=3.9-", "--no-tips", "--violations", "--eval-annotations", *ON_PYTHON_39],
}


@pytest.mark.parametrize("check", CHECKS)
def test_house(check: str) -> None:
    done = subprocess.run([sys.executable, *CHECKS[check]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-4000:]


def test_every_checked_in_text_is_free_of_machine_paths() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    suffixes = {".py", ".md", ".toml", ".json", ".txt", ".mjs", ""}
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        if path.suffix in suffixes and path.is_file() and path != Path(__file__):
            text = path.read_text(encoding="utf-8", errors="ignore")
            assert "/root/" not in text, name
            assert "/work/" not in text, name
