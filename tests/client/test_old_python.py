"""What travels inside plug-ins uses nothing newer than Python 3.9; tests/plugins/test_vendor.py runs it there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bridge

ROOT = Path(bridge.__file__).parent


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        ([], ["control_kinds.py", "errors.py", "home.py", "protocol", "client"]),
        # The decoder evaluates the types of the messages' fields.
        (["--eval-annotations"], ["protocol/messages.py", "protocol/sentences.py"]),
    ],
)
def test_the_sources_use_nothing_newer_than_python_39(options, paths):
    command = [
        sys.executable,
        "-c",
        "import vermin; vermin.main()",
        "-t=3.9-",
        "--no-tips",
        "--violations",
        "--no-parse-comments",
        *options,
    ]
    done = subprocess.run(
        [*command, *(str(ROOT / path) for path in paths)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sources_import_each_other_relatively():
    for path in (
        ROOT / "control_kinds.py",
        ROOT / "errors.py",
        ROOT / "home.py",
        *(ROOT / "protocol").glob("*.py"),
        *(ROOT / "client").glob("*.py"),
    ):
        text = path.read_text()
        assert "import bridge" not in text, path
        assert "from bridge" not in text, path
