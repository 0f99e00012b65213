"""What is put into a host's folder and taken out again, and that nothing else there is ever touched."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from bridge.plugins import Bundle, PluginError
from bridge.plugins.placing import MANIFEST, archive, installed, put, remove

BUNDLE = Bundle(
    "plugs/ours",
    {
        "plugs/ours/__init__.py": b"1",
        "plugs/ours/_vendor/x/y.py": b"2",
        "plugs/ours.desktop": b"3",
        "acts/ours.action": b"4",
    },
    frozenset({"plugs/ours/__init__.py"}),
)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_in_and_out_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "plugs" / "theirs").mkdir(parents=True)
    (tmp_path / "plugs" / "theirs" / "__init__.py").write_bytes(b"theirs")
    (tmp_path / "acts").mkdir()
    before = tree(tmp_path)
    put(BUNDLE, tmp_path)
    assert installed(BUNDLE.home, tmp_path)
    assert tree(tmp_path).items() >= {**BUNDLE.files, **before}.items()
    if os.name == "posix":
        assert os.access(tmp_path / "plugs/ours/__init__.py", os.X_OK)
        assert not os.access(tmp_path / "plugs/ours.desktop", os.X_OK)
    assert remove(BUNDLE.home, tmp_path)
    assert tree(tmp_path) == before
    assert (tmp_path / "acts").is_dir()
    assert not (tmp_path / "plugs" / "ours").exists()
    assert not remove(BUNDLE.home, tmp_path)


def test_a_newer_one_replaces_an_older_one_whole(tmp_path: Path) -> None:
    put(BUNDLE, tmp_path)
    cache = tmp_path / "plugs/ours/__pycache__"
    cache.mkdir()
    (cache / "old.pyc").write_bytes(b"")
    put(Bundle(BUNDLE.home, {"plugs/ours/new.py": b"5"}), tmp_path)
    assert set(tree(tmp_path)) == {"plugs/ours/new.py", f"plugs/ours/{MANIFEST}"}


def test_what_the_artist_put_into_our_folder_stays(tmp_path: Path) -> None:
    put(BUNDLE, tmp_path)
    (tmp_path / "plugs/ours/notes.txt").write_text("mine")
    remove(BUNDLE.home, tmp_path)
    assert tree(tmp_path) == {"plugs/ours/notes.txt": b"mine"}


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_what_is_not_ours_is_not_replaced(tmp_path: Path, kind: str) -> None:
    own = tmp_path / BUNDLE.home
    if kind == "link":
        elsewhere = tmp_path / "elsewhere"
        put(BUNDLE, elsewhere)
        own.parent.mkdir()
        own.symlink_to(elsewhere / BUNDLE.home)
    else:
        own.mkdir(parents=True)
        (own / "__init__.py").write_text("theirs")
    before = tree(tmp_path)
    with pytest.raises(PluginError, match="in the way"):
        put(BUNDLE, tmp_path)
    assert tree(tmp_path) == before


def test_a_manifest_cannot_name_what_lies_outside(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    own = tmp_path / "folder" / BUNDLE.home
    own.mkdir(parents=True)
    (own / MANIFEST).write_text('{"version": "1", "files": ["../victim"]}')
    assert not remove(BUNDLE.home, tmp_path / "folder")
    assert victim.read_text() == "precious"


def test_an_archive_is_the_same_every_time_and_has_its_folders(tmp_path: Path) -> None:
    archive(BUNDLE, tmp_path / "a" / "one.zip")
    archive(BUNDLE, tmp_path / "two.zip")
    assert (tmp_path / "a" / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    names = zipfile.ZipFile(tmp_path / "two.zip").namelist()
    assert {"plugs/ours/", "plugs/ours/__init__.py", "acts/ours.action"} <= set(names)
