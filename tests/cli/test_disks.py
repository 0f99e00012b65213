"""Disks that are full, and folders that cannot be written: said in a sentence, with what to do."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_disks import DISKS, paintbridge, run_on

from bridge.cli.exits import Exit

_WHAT_TO_DO = {"full": "Make room", "read-only": "Correct its permissions"}


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """With a home in it, as far as the disk is what it was."""
    (tmp_path / "disk" / "home").mkdir(parents=True)
    return tmp_path / "disk"


@pytest.mark.parametrize("kind", DISKS)
@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("token", "--rotate")], ids=lambda command: command[0])
def test_a_bridge_that_cannot_say_where_it_is_says_why(disk: Path, kind: str, command: tuple[str, ...]) -> None:
    done = run_on(kind, disk, *paintbridge(*command))
    assert done.returncode == Exit.NO_BRIDGE, done.stderr
    assert f"The bridge's folder {disk}/home cannot be written" in done.stderr
    assert _WHAT_TO_DO[kind] in done.stderr
    assert "PAINTBRIDGE_HOME" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_doctor_sees_that_the_home_cannot_be_written(disk: Path) -> None:
    done = run_on("read-only", disk, *paintbridge("doctor"))
    assert done.returncode == Exit.FAILED
    assert "GiB free, and cannot be written" in done.stdout
    assert f"The bridge's folder {disk}/home cannot be written (Read-only file system)." in done.stdout
    assert "Correct its permissions, or name another one in PAINTBRIDGE_HOME." in done.stdout
    assert "no bridge can be kept running" in done.stdout
    assert "All is well." not in done.stdout


@pytest.mark.parametrize("kind", DISKS)
def test_a_plug_in_that_starts_a_bridge_is_told(disk: Path, kind: str) -> None:
    start = f"""
import sys
from bridge.client.starting import StartFailed, start
try:
    start({paintbridge("serve", "--port", "0")!r})
except StartFailed as error:
    print(error.message, error.hint)
"""
    done = run_on(kind, disk, sys.executable, "-c", start)
    assert done.returncode == 0, done.stderr
    assert "The bridge could not be started. " in done.stdout
    assert {"full": f"The disk with {disk}/home is full.", "read-only": "Read-only file system"}[kind] in done.stdout


@pytest.mark.parametrize("kind", DISKS)
def test_a_result_that_cannot_be_written(running: Path, save: Any, disk: Path, kind: str) -> None:
    picture = save("picture.png", np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8))
    rest = ("--rect", "20,20,20,20", "--seed", "1", "--json", "-o", str(disk / "out.png"))
    done = run_on(kind, disk, *paintbridge("fill", str(picture), *rest), home=running)
    assert done.returncode == Exit.REFUSED, done.stderr
    # What can be known before is told before.
    words = {
        "full": ("out.png could not be written.", "Is the disk full"),
        "read-only": ("out.png cannot be written there (Read-only file system).", "correct the folder's permissions"),
    }
    message, hint = words[kind]
    assert json.loads(done.stdout)["error"]["message"] == message
    assert hint in done.stderr


def test_a_list_of_checkpoints_that_cannot_be_written(disk: Path, home: Path) -> None:
    done = run_on("full", disk, *paintbridge("models", "add", str(home / "models" / "tiny"), "--json"))
    said = json.loads(done.stdout)["error"]
    assert (done.returncode, said["code"]) == (Exit.REFUSED, "disk_full")
    assert said["message"] == f"{disk}/home/models.json cannot be written: the disk is full."


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_output_into_a_file_on_a_full_disk(tmp_path: Path, flags: tuple[str, ...]) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(
            paintbridge("models", "list", "--recommended", *flags),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == Exit.REFUSED
    assert done.stderr == "paintbridge: The disk is full.\n  Make room, then try again.\n"


def test_no_folder_for_temporary_files(run: Any, save: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = save("picture.png", np.zeros((32, 32, 3), np.uint8))
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        done = run("fill", picture, "--rect", "8,8,8,8", "-o", tmp_path / "out.png", home=tmp_path)
    assert done.code == Exit.NO_BRIDGE
    assert "no folder for temporary files" in done.err
    assert "TMPDIR" in done.err
    # Where not even the report of a fault can be written, the terminal has it.
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        patch.setattr("bridge.cli.models.registry", lambda: json.loads("nonsense"))
        done = run("models", "list", "--json", home=tmp_path)
    assert (done.code, done.json["error"]["code"]) == (Exit.FAILED, "internal")
    assert "JSONDecodeError" in done.err
    assert "stands above" in done.err
