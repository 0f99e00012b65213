"""Starting a bridge from a client's side: a real one, and those that fail."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import psutil
import pytest

from bridge.client import Bridge
from bridge.client.starting import StartFailed, can_start, install_commands, start

SERVE = (sys.executable, "-m", "bridge.cli", "serve", "--port", "0")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "PAINTBRIDGE_HOME": str(tmp_path)}


def end(pid: int) -> None:
    process = psutil.Process(pid)
    process.terminate()
    process.wait(30)


def test_a_bridge_is_started_and_outlives_the_call(env, tmp_path):
    address = start(SERVE, environ=env)
    pid = json.loads((tmp_path / "runtime.json").read_text())["pid"]
    try:
        with Bridge(address, client="test") as bridge:
            assert bridge.welcome.checkpoints
        assert os.getpgid(pid) != os.getpgid(0), "Ctrl-C at the starter would end the bridge"
        assert start(("no such program",), environ=env).url == address.url, "the first one is found, and no other begun"
    finally:
        end(pid)


def test_the_file_of_a_bridge_that_was_killed_is_no_bridge(env, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    (tmp_path / "runtime.json").write_text(json.dumps({"url": url, "token": "old", "pid": 1}))
    address = start(SERVE, environ=env)
    try:
        with Bridge(address, client="test") as bridge:
            assert bridge.welcome.checkpoints
    finally:
        end(json.loads((tmp_path / "runtime.json").read_text())["pid"])


def test_a_bridge_that_ends_at_once_is_quoted(env):
    complains = (sys.executable, "-c", "import sys; sys.exit('no room on the disk')")
    with pytest.raises(StartFailed, match="no room on the disk") as caught:
        start(complains, environ=env)
    assert sys.executable in caught.value.hint


def test_a_program_that_is_not_there(env, tmp_path):
    command = (str(tmp_path / "nothing"), "serve")
    assert not can_start(command)
    with pytest.raises(StartFailed, match="No such file"):
        start(command, environ=env)


def test_a_bridge_that_never_says_where_it_is(env, tmp_path):
    pid = tmp_path / "pid"
    silent = (
        sys.executable,
        "-c",
        f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)",
    )
    with pytest.raises(StartFailed, match="within 2 seconds"):
        start(silent, environ=env, patience=2)
    end(int(pid.read_text()))


@pytest.mark.skipif(sys.platform == "win32", reason="a named pipe holds the half that is read")
def test_a_file_that_is_being_written_is_waited_for(env, tmp_path):
    writes = f"""
import json, os, socket, time
path, listener = {str(tmp_path / "runtime.json")!r}, socket.create_server(("127.0.0.1", 0))
whole = json.dumps({{"url": "http://127.0.0.1:%d" % listener.getsockname()[1], "token": "a token", "pid": 1}})
os.mkfifo(path)
with open(path, "w") as file:  # goes on when somebody reads
    file.write(whole[:20])
with open(path + ".new", "w") as file:
    file.write(whole)
os.replace(path + ".new", path)
listener.accept()
"""
    address = start((sys.executable, "-c", writes), environ=env, patience=30)
    assert address.token == "a token"


def test_the_hosts_own_libraries_are_not_handed_on(env, tmp_path):
    seen = tmp_path / "seen"
    shows = (sys.executable, "-c", f"import os; open({str(seen)!r}, 'w').write(repr(dict(os.environ)))")
    with pytest.raises(StartFailed):
        start(shows, environ={**env, "LD_LIBRARY_PATH": "/host/lib", "PYTHONPATH": "/host/python"})
    assert "/host" not in seen.read_text()
    assert str(tmp_path) in seen.read_text()


@pytest.mark.parametrize("system", ["win32", "darwin", "linux"])
def test_the_commands_of_a_system_end_with_the_start(system):
    assert install_commands(system)[-1].endswith("serve")
