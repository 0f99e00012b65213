"""The bridge's home: server and client find the same one, however it is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bridge.client import Bridge, discover
from bridge.home import find_home

SERVE = (sys.executable, "-m", "bridge.cli", "serve", "--port", "0")


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "user"
    folder.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(folder))
    return folder


@pytest.mark.parametrize(
    ("named", "found"),
    [
        (None, ".paintbridge"),
        ("", ".paintbridge"),
        ("  ", ".paintbridge"),
        ("~/pb", "pb"),
        ("~", "."),
        ("~/pb/", "pb"),
        (" ~/pb ", "pb"),
        ("deep/pb", "deep/pb"),
        ("./pb", "pb"),
    ],
)
def test_where_it_is(user: Path, named: str | None, found: str) -> None:
    assert find_home({} if named is None else {"PAINTBRIDGE_HOME": named}).folder == user / found


def test_an_absolute_path_is_taken_as_it_is(user: Path, tmp_path: Path) -> None:
    assert find_home({"PAINTBRIDGE_HOME": str(tmp_path / "my home")}).folder == tmp_path / "my home"


def test_all_that_it_holds_lies_within(user: Path) -> None:
    home = find_home({})
    places = [getattr(home, name) for name, value in vars(type(home)).items() if isinstance(value, property)]
    assert len(set(places)) == len(places) > 10
    assert all(home.folder in place.parents for place in places)


@pytest.mark.parametrize("named", ["~/pb", "pb"])
def test_a_bridge_is_found_where_no_shell_expands_the_path(
    user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("PAINTBRIDGE_HOME", named)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    process = subprocess.Popen(SERVE, cwd=elsewhere, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Paintbridge listens")
        with Bridge(discover(), client="test") as bridge:
            assert bridge.welcome.checkpoints
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert (user / "pb" / "runtime.json").is_file()
    assert not list(elsewhere.iterdir())
