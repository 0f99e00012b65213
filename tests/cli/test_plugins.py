"""``paintbridge plugins``: listed, installed and uninstalled, in words and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bridge.cli.exits import Exit


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of a user who has Krita on Linux, or on what this is."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path / "AppData" / "Roaming"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "AppData" / "Local"))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def test_in_and_out_by_path(run: Any, home: Path, user: Path) -> None:
    folder = user / "resources"
    folder.mkdir()
    done = run("plugins", "install", "krita", "--path", folder, home=home)
    assert done.code == 0, done.err
    assert "Python Plugin Manager" in done.out
    assert (folder / "pykrita" / "paintbridge_krita" / "_vendor" / "bridge" / "client" / "bridge.py").is_file()
    (row,) = run("plugins", "list", "krita", "--path", folder, "--json", home=home).json["plugins"]
    assert row["version"]
    assert run("plugins", "uninstall", "krita", "--path", folder, home=home).out.startswith("the folder that was named")
    assert not list(folder.rglob("*.py"))


def test_no_host_at_all(run: Any, home: Path, user: Path) -> None:
    assert run("plugins", "list", home=home).out.strip() == "No host was found here."
    done = run("plugins", "install", "krita", home=home)
    assert done.code == Exit.REFUSED
    assert "No Krita was found here." in done.err
    assert "--path" in done.err


def test_a_path_without_its_host_when_there_are_several(run: Any, home: Path, user: Path) -> None:
    from bridge.plugins import TARGETS

    done = run("plugins", "install", "--path", user / "x", home=home)
    assert (done.code == Exit.USAGE) == (len(TARGETS) > 1)
