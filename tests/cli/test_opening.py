"""``paintbridge open``."""

from __future__ import annotations

import html
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import pytest

from bridge.cli.exits import Exit
from bridge.client import discover

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="the browser of the test is a shell script")


@needs_posix
def test_the_browser_is_sent_on_and_never_told_the_token_on_its_command_line(running: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" > {tmp_path / "told"}\n')
    browser.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "bridge.cli", "open"],
        env={**os.environ, "PAINTBRIDGE_HOME": str(running), "BROWSER": f"{browser} %s"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    address = discover(environ={"PAINTBRIDGE_HOME": str(running)})
    told = (tmp_path / "told").read_text().strip()
    assert address.token not in told + done.stdout + done.stderr
    door = Path(unquote(urlsplit(told).path))
    assert stat.S_IMODE(door.stat().st_mode) == 0o600
    (target,) = re.findall(r'url=([^"]+)"', door.read_text())
    origin, token = html.unescape(target).split("/#token=")
    assert unquote(token) == address.token
    with urlopen(f"{origin}/") as page:
        assert b"<title>Paintbridge</title>" in page.read()


def test_the_address_is_printed_where_there_is_no_browser(running: Path, run: Any) -> None:
    printed = run("open", "--print", home=running)
    assert printed.code == 0
    address = discover(environ={"PAINTBRIDGE_HOME": str(running)})
    assert printed.out.strip() == f"http://{urlsplit(address.url).netloc}/#token={address.token}"


def test_without_a_bridge_there_is_nothing_to_open(tmp_path: Path, run: Any) -> None:
    refused = run("open", home=tmp_path)
    assert refused.code == Exit.NO_BRIDGE
    assert "paintbridge serve" in refused.err
