"""GIMP's folders on each system, what its plug-ins must look like, and the words in other languages."""

from __future__ import annotations

import ast
import gettext
import io
from pathlib import Path

import polib
import pytest

import plugin_gimp
from bridge.plugins import Machine
from bridge.plugins.gimp import Gimp
from bridge.plugins.placing import installed, put, remove
from bridge.protocol.messages import Stage

SOURCES = Path(plugin_gimp.__file__).parent / "paintbridge_gimp"


def machine(system: str, home: Path, **environ: str) -> Machine:
    return Machine(system, home, {"PATH": str(home / "bin"), "PROGRAMFILES": str(home / "programs"), **environ})


@pytest.mark.parametrize(
    ("system", "folder"),
    [
        ("linux", ".config/GIMP/3.0"),
        ("linux", ".config/GIMP/3.2"),
        ("linux", ".var/app/org.gimp.GIMP/config/GIMP/3.0"),
        ("linux", "snap/gimp/current/.config/GIMP/3.0"),
        ("win32", "AppData/Roaming/GIMP/3.0"),
        ("darwin", "Library/Application Support/GIMP/3.2"),
    ],
)
def test_where_gimp_has_been(tmp_path: Path, system: str, folder: str) -> None:
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder).with_name("2.10").mkdir()
    (place,) = Gimp().places(machine(system, tmp_path))
    assert place.folder == tmp_path / folder / "plug-ins"


def test_each_minor_version_has_its_own(tmp_path: Path) -> None:
    for minor in ("3.0", "3.2"):
        (tmp_path / "config" / "GIMP" / minor).mkdir(parents=True)
    places = Gimp().places(machine("linux", tmp_path, XDG_CONFIG_HOME=str(tmp_path / "config")))
    assert [place.words for place in places] == ["GIMP 3.0", "GIMP 3.2"]


def test_a_gimp_that_has_never_run_is_found_by_its_program(tmp_path: Path) -> None:
    for system, program in (("linux", "bin/gimp-3.2"), ("win32", "programs/GIMP 3/bin/gimp-3.2.exe")):
        assert Gimp().places(machine(system, tmp_path)) == ()
        path = tmp_path / program
        path.parent.mkdir(parents=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
        (place,) = Gimp().places(machine(system, tmp_path))
        assert place.folder.parts[-3:] == ("GIMP", "3.2", "plug-ins")


def test_the_plug_in_is_a_program_named_like_its_folder(tmp_path: Path) -> None:
    put(Gimp().bundle(), tmp_path)
    program = tmp_path / "paintbridge" / "paintbridge.py"
    assert program.stat().st_mode & 0o111
    assert program.read_text().startswith("#!")
    assert (tmp_path / "paintbridge" / "paintbridge_gimp" / "_vendor" / "bridge" / "client" / "bridge.py").is_file()
    assert installed("paintbridge", tmp_path)
    assert remove("paintbridge", tmp_path)
    assert not list(tmp_path.iterdir())


def spoken() -> set[str]:
    """All texts in the sources that go through the catalogues."""
    found = set()
    for path in SOURCES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "ngettext"):
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    found.add(first.value)
    return found


def test_every_text_is_in_the_catalogue_with_its_fields_and_its_key() -> None:
    catalogue = polib.pofile(SOURCES / "locale" / "zh_CN.po", encoding="utf-8")
    entries = {entry.msgid: entry for entry in catalogue}
    assert spoken() <= set(entries)
    for entry in entries.values():
        words = entry.msgstr or entry.msgstr_plural[0]
        assert words
        assert sorted(fields(words)) == sorted(fields(entry.msgid)), entry.msgid
        if "_" in entry.msgid and "{" not in entry.msgid:
            key = entry.msgid[entry.msgid.index("_") + 1].upper()
            assert f"(_{key})" in words, "keys are Latin letters, and the same ones"


def fields(text: str) -> list[str]:
    return [part.split("}")[0] for part in text.split("{")[1:]]


def test_every_stage_of_a_job_has_words() -> None:
    sources = (SOURCES / "progress.py").read_text(encoding="utf-8")
    assert [stage for stage in Stage if f'"{stage}": _(' not in sources] == []


def test_the_catalogue_is_compiled_on_the_way_into_the_host() -> None:
    compiled = Gimp().bundle().files["paintbridge/locale/zh_CN/LC_MESSAGES/paintbridge.mo"]
    translations = gettext.GNUTranslations(io.BytesIO(compiled))
    assert translations.gettext("Generative Fill") == "生成式填充"
    assert translations.ngettext(", and {count} other", ", and {count} others", 3) == "，另有 {count} 个"
