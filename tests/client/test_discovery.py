"""Where the bridge is looked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bridge.client import Address, BadAddress, BridgeNotFound, InsecureAddress, NotRunning, discover
from bridge.home import find_home

RUNTIME = {
    "url": "http://127.0.0.1:8765",
    "token": "file's",
    "pid": 4,
    "protocol": 1,
    "bridge": "0.1.0",
    "start_command": ["/opt/my bridge/paintbridge", "serve"],
}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"PAINTBRIDGE_HOME": str(tmp_path)}


def write(env: dict[str, str], **changes: Any) -> Path:
    path = find_home(env).runtime_file
    path.write_text(json.dumps({**RUNTIME, **changes}))
    return path


def test_the_environment_comes_first(env):
    write(env)
    env.update(PAINTBRIDGE_URL="ws://localhost:1/ws", PAINTBRIDGE_TOKEN="env's")
    found = discover(url="ws://localhost:2/ws", token="settings'", environ=env)
    assert (found.url, found.token, found.source) == ("ws://localhost:1/ws", "env's", "PAINTBRIDGE_URL")


def test_then_the_settings(env):
    write(env)
    found = discover(url="ws://localhost:2/ws", token="settings'", environ=env)
    assert (found.url, found.token, found.source) == ("ws://localhost:2/ws", "settings'", "the settings")


def test_then_the_runtime_file(env):
    path = write(env)
    found = discover(url="", token=None, environ=env)
    assert (found.url, found.token, found.source) == ("ws://127.0.0.1:8765/ws", "file's", str(path))
    assert found.start_command == ("/opt/my bridge/paintbridge", "serve")


def test_the_runtime_file_lies_in_the_home_unless_told_otherwise(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert find_home({}).runtime_file == tmp_path / ".paintbridge" / "runtime.json"
    assert find_home({"PAINTBRIDGE_HOME": "/elsewhere"}).runtime_file == Path("/elsewhere/runtime.json")


def test_the_files_token_goes_to_the_files_address_only(env):
    write(env)
    assert discover(url="http://127.0.0.1:8765/", environ=env).token == "file's"
    with pytest.raises(BadAddress, match="no token"):
        discover(url="https://example.org", environ=env)


def test_an_address_without_any_token(env):
    with pytest.raises(BadAddress, match="no token"):
        discover(url="http://127.0.0.1:8765", environ=env)


def test_a_token_of_the_settings_goes_with_the_files_address(env):
    write(env)
    found = discover(token="settings'", environ=env)
    assert (found.url, found.token) == ("ws://127.0.0.1:8765/ws", "settings'")


def test_nothing_names_a_bridge(env):
    with pytest.raises(BridgeNotFound, match="Start it with: paintbridge serve") as caught:
        discover(environ=env)
    assert caught.value.start_command == ("paintbridge", "serve")
    assert not isinstance(caught.value, NotRunning)


@pytest.mark.parametrize("changes", [{"pid": None}, {"url": "", "pid": None}])
def test_a_bridge_that_was_stopped(env, changes):
    write(env, **changes)
    with pytest.raises(NotRunning, match="Start it with: '/opt/my bridge/paintbridge' serve"):
        discover(environ=env)


def test_a_bridge_that_never_ran_but_has_a_token(env):
    write(env, url="", pid=None, start_command=None)
    with pytest.raises(NotRunning, match="paintbridge serve"):
        discover(environ=env)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"url": 1, "token": "t"}',
        '{"url": "ws://localhost"}',
        json.dumps({**RUNTIME, "start_command": 3}),
    ],
)
def test_a_runtime_file_that_cannot_be_read(env, text):
    find_home(env).runtime_file.write_text(text)
    with pytest.raises(BadAddress, match="runtime file"):
        discover(environ=env)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("http://127.0.0.1:8765", "ws://127.0.0.1:8765/ws"),
        ("ws://[::1]:8765/ws", "ws://[::1]:8765/ws"),
        ("http://localhost:80/", "ws://localhost:80/ws"),
        (" https://paint.example:443/bridge/ws ", "wss://paint.example:443/bridge/ws"),
        ("http://127.9.9.9:1#token=x", "ws://127.9.9.9:1/ws"),
    ],
)
def test_addresses_become_websocket_addresses(given, wanted):
    assert Address(given, "t").url == wanted


@pytest.mark.parametrize(
    "url", ["http://192.168.0.4:8765", "ws://paint.example/ws", "http://localhost.evil.example:1", "ws://0.0.0.0:1"]
)
def test_plain_addresses_of_other_machines_are_refused(url):
    with pytest.raises(InsecureAddress, match="not encrypted"):
        Address(url, "t")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8765", "ftp://localhost", "ws://", "ws://localhost:port", "ws://u:p@localhost"]
)
def test_what_is_no_address(url):
    with pytest.raises(BadAddress, match="not a URL"):
        Address(url, "t")


def test_the_token_stays_out_of_logs():
    assert "secret" not in repr(Address("ws://localhost:1", "secret"))
