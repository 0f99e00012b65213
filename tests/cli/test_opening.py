"""``paintbridge open``."""

from __future__ import annotations

import html
import os
import re
import signal
import stat
import subprocess
import sys
import time
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


@needs_posix
def test_where_no_bridge_runs_one_is_started_and_runs_until_it_is_stopped(tmp_path: Path) -> None:
    told = tmp_path / "told"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" > {told}\n')
    browser.chmod(0o755)
    home = {"PAINTBRIDGE_HOME": str(tmp_path / "home"), "PAINTBRIDGE_PORT": "0"}
    with subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "open"],
        env={**os.environ, **home, "BROWSER": f"{browser} %s"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            while not (told.exists() and told.read_text().endswith("\n")):
                assert process.poll() is None
                time.sleep(0.05)
            door = Path(unquote(urlsplit(told.read_text().strip()).path))
            address = discover(environ=home)
            assert address.token in html.unescape(door.read_text())
            with urlopen(f"http://{urlsplit(address.url).netloc}/") as page:
                assert b"<title>Paintbridge</title>" in page.read()
        finally:
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "Ctrl-C stops it" in said


def test_without_a_bridge_there_is_no_address_to_print(tmp_path: Path, run: Any) -> None:
    refused = run("open", "--print", home=tmp_path)
    assert refused.code == Exit.NO_BRIDGE
    assert "paintbridge serve" in refused.err
