"""Krita's folders on each system, its settings file, and a zip for its own importer."""

from __future__ import annotations

import ast
import gettext
import io
import os
from pathlib import Path
from xml.etree import ElementTree

import polib
import pytest

import plugin_krita
from bridge.plugins import Machine, Place
from bridge.plugins.krita import Krita, with_entry
from bridge.protocol.messages import Stage

SOURCES = Path(plugin_krita.__file__).parent / "paintbridge_krita"
OURS = "enable_paintbridge_krita=true\n"


def machine(system: str, home: Path, **environ: str) -> Machine:
    return Machine(system, home, {"PATH": str(home / "bin"), **environ})


@pytest.mark.parametrize(
    ("system", "folder", "settings"),
    [
        ("linux", ".local/share/krita", ".config/kritarc"),
        ("linux", ".var/app/org.kde.krita/data/krita", ".var/app/org.kde.krita/config/kritarc"),
        ("linux", "snap/krita/current/.local/share/krita", "snap/krita/current/.config/kritarc"),
        ("win32", "AppData/Roaming/krita", "AppData/Local/kritarc"),
        (
            "win32",
            "AppData/Local/Packages/1Krita_a/LocalCache/Roaming/krita",
            "AppData/Local/Packages/1Krita_a/LocalCache/Local/kritarc",
        ),
        ("darwin", "Library/Application Support/krita", "Library/Preferences/kritarc"),
    ],
)
def test_where_krita_has_been(tmp_path: Path, system: str, folder: str, settings: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    places = {(place.folder, place.settings) for place in Krita().places(machine(system, tmp_path))}
    assert (tmp_path / folder, tmp_path / settings) in places


def test_where_there_is_no_krita(tmp_path: Path) -> None:
    for system in ("linux", "win32", "darwin"):
        assert Krita().places(machine(system, tmp_path, PROGRAMFILES=str(tmp_path / "none"))) == ()


def test_a_krita_that_has_never_run_is_found_by_its_program(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "krita"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (place,) = Krita().places(machine("linux", tmp_path, XDG_DATA_HOME=str(tmp_path / "data")))
    assert place.folder == tmp_path / "data" / "krita"


def test_a_resource_folder_that_was_moved_is_followed(tmp_path: Path) -> None:
    settings = tmp_path / ".config" / "kritarc"
    settings.parent.mkdir()
    settings.write_text(f"ResourceDirectory={tmp_path}/moved\n\n[python]\n")
    (place,) = Krita().places(machine("linux", tmp_path))
    assert place.folder == tmp_path / "moved"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"[python]\n{OURS}"),
        ("a=1\n\n[b]\nc=2\n", f"a=1\n\n[b]\nc=2\n\n[python]\n{OURS}"),
        ("a=1", f"a=1\n\n[python]\n{OURS}"),
        ("[python]\nenable_x=true\n\n[z]\n", f"[python]\n{OURS}enable_x=true\n\n[z]\n"),
        ("[python]\nenable_paintbridge_krita=false\n[z]\n", f"[python]\n{OURS}[z]\n"),
        (
            "[pythonic]\nenable_paintbridge_krita=false\n",
            f"[pythonic]\nenable_paintbridge_krita=false\n\n[python]\n{OURS}",
        ),
    ],
)
def test_enabling_changes_one_line(before: str, after: str) -> None:
    assert with_entry(before, "true") == after
    assert with_entry(after, "true") == after
    assert "paintbridge" not in with_entry(with_entry(before, "true"), None).replace(
        "[pythonic]\nenable_paintbridge_krita", ""
    )


def test_settings_keep_their_other_bytes_and_their_mode(tmp_path: Path) -> None:
    settings = tmp_path / "kritarc"
    settings.write_bytes(b"name=caf\xe9 \xe4\xb8\xad\r\n[python]\r\nenable_x=true\r\n")
    settings.chmod(0o600)
    place = Place("here", tmp_path, settings)
    Krita().enable(place)
    assert settings.read_bytes() == b"name=caf\xe9 \xe4\xb8\xad\r\n[python]\r\n" + OURS.encode() + b"enable_x=true\r\n"
    if os.name == "posix":
        assert settings.stat().st_mode & 0o777 == 0o600
    Krita().disable(place)
    assert settings.read_bytes() == b"name=caf\xe9 \xe4\xb8\xad\r\n[python]\r\nenable_x=true\r\n"
    assert [path.name for path in tmp_path.iterdir()] == ["kritarc"]


def test_what_krita_asks_of_a_plug_in_lies_where_krita_looks() -> None:
    files = Krita().bundle().files
    assert b"X-KDE-Library=paintbridge_krita" in files["pykrita/paintbridge_krita.desktop"]
    assert "pykrita/paintbridge_krita/__init__.py" in files
    assert b"<ActionCollection" in files["actions/paintbridge_krita.action"]


def spoken() -> set[str]:
    """All texts in the sources that go through the catalogues."""
    found = set()
    for path in SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(first.value)
    return found


def test_every_text_is_in_the_catalogue_with_its_fields() -> None:
    entries = {entry.msgid: entry.msgstr for entry in polib.pofile(SOURCES / "locale" / "zh_CN.po", encoding="utf-8")}
    assert spoken() <= set(entries)
    for text, words in entries.items():
        assert words
        assert sorted(fields(words)) == sorted(fields(text)), text


def fields(text: str) -> list[str]:
    return [part.split("}")[0] for part in text.split("{")[1:]]


def test_every_stage_of_a_job_has_words() -> None:
    sources = (SOURCES / "progress.py").read_text(encoding="utf-8")
    assert [stage for stage in Stage if f'"{stage}": _(' not in sources] == []


def test_the_catalogue_is_compiled_on_the_way_into_the_host() -> None:
    files = Krita().bundle().files
    compiled = files["pykrita/paintbridge_krita/locale/zh_CN.mo"]
    assert gettext.GNUTranslations(io.BytesIO(compiled)).gettext("Generate") == "生成"
    assert not [path for path in files if path.endswith(".po")]


def test_no_two_actions_have_the_same_key() -> None:
    actions = ElementTree.fromstring(Krita().bundle().files["actions/paintbridge_krita.action"]).iter("Action")
    names = {action.get("name"): action.findtext("shortcut") for action in actions}
    keys = [key for key in names.values() if key]
    assert len(names) == 11
    assert len(set(keys)) == len(keys) == 5
