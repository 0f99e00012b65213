"""The runtime file: its mode, its token, its lock."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.server.errors import AlreadyRunning, HomeUnwritable, StartError
from bridge.server.runtime import RuntimeFile, check_home

_HOLD = """
import sys
from pathlib import Path
from bridge.server.runtime import RuntimeFile
file = RuntimeFile(Path(sys.argv[1]))
file.acquire()
file.publish(url="ws://127.0.0.1:1/ws", bridge="0", start_command=["paintbridge", "serve"])
print("held", flush=True)
sys.stdin.readline()
"""


def _publish(file: RuntimeFile) -> None:
    file.publish(url="ws://127.0.0.1:1/ws", bridge="0.1.0", start_command=["paintbridge", "serve"])


def test_a_home_that_cannot_be_made_is_told_from_one_that_will_be(tmp_path: Path) -> None:
    check_home(tmp_path / "not" / "yet")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("in the way")
    for attempt in (
        check_home,
        lambda home: RuntimeFile(home).acquire(),
        lambda home: RuntimeFile(home).rotate_token(),
    ):
        with pytest.raises(HomeUnwritable, match="cannot be written") as refused:
            attempt(tmp_path / "file" / "home")
        assert "PAINTBRIDGE_HOME" in refused.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_that_fills_up_while_the_bridge_runs_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    fills_up = _HOLD.replace(
        "sys.stdin.readline()",
        """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
file.release()
print("released", flush=True)
""",
    )
    done = subprocess.run([sys.executable, "-c", fills_up, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["held", "released"]
    # What could be written before is whole, and nothing half is left.
    assert json.loads((tmp_path / "runtime.json").read_text())["pid"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runtime.json", "runtime.lock"]
    file = RuntimeFile(tmp_path)
    file.acquire()
    file.release()


def test_what_stands_in_the_file_while_serving_and_after(tmp_path: Path) -> None:
    file = RuntimeFile(tmp_path / "home")
    file.acquire()
    _publish(file)
    said = json.loads(file.path.read_text())
    assert said["url"] == "ws://127.0.0.1:1/ws"
    assert said["pid"] == os.getpid()
    assert said["start_command"] == ["paintbridge", "serve"]
    assert set(said) == {"url", "token", "pid", "protocol", "bridge", "start_command"}
    file.release()
    assert file.read() == {**said, "pid": None}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes; there a home is private by its rights")
def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    file = RuntimeFile(home)
    file.acquire()
    _publish(file)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    file.rotate_token()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert sorted(path.name for path in home.iterdir()) == ["runtime.json", "runtime.lock"]
    file.release()


def test_the_token_is_kept_until_it_is_rotated(tmp_path: Path) -> None:
    file = RuntimeFile(tmp_path)
    file.acquire()
    _publish(file)
    first = file.token()
    assert len(first) >= 43
    file.release()
    again = RuntimeFile(tmp_path)
    again.acquire()
    _publish(again)
    assert again.token() == first
    rotated = RuntimeFile(tmp_path).rotate_token()
    assert rotated != first
    assert again.token() == rotated
    assert again.read()["pid"] == os.getpid()
    again.release()


def test_a_token_can_be_rotated_before_any_bridge_has_run(tmp_path: Path) -> None:
    file = RuntimeFile(tmp_path / "home")
    token = file.rotate_token()
    assert (file.read()["token"], file.read()["pid"], file.read()["url"]) == (token, None, "")


def test_without_a_file_no_token_is_right(tmp_path: Path) -> None:
    file = RuntimeFile(tmp_path)
    assert file.token() != file.token()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"token": 5}'])
def test_a_broken_file_is_written_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "runtime.json").write_text(content)
    file = RuntimeFile(tmp_path)
    file.acquire()
    _publish(file)
    assert len(file.token()) >= 43
    file.release()


def test_a_second_bridge_is_told_where_the_first_one_is_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        second = RuntimeFile(tmp_path)
        with pytest.raises(AlreadyRunning, match=r"ws://127\.0\.0\.1:1/ws") as error:
            second.acquire()
        assert error.value.pid == other.pid
        other.kill()
        other.wait()
        second.acquire()
        second.release()


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="PAINTBRIDGE_HOME"):
        RuntimeFile(tmp_path / "file" / "home").acquire()
