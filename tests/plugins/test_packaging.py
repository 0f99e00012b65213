"""Paintbridge as a wheel, made from its sdist: the plug-ins are in it, and can be put into a host from there."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import bridge

ROOT = Path(bridge.__file__).parent.parent

BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""


def build(source: Path, what: str, folder: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-c", BUILD, what, str(folder)], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("setuptools", minversion="77", reason="setuptools 77 or newer builds the package")
    folder = tmp_path_factory.mktemp("build")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    source = folder / "source"
    for name in filter(None, files.split("\0")):
        if not name.startswith("tests/") and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    sdist = build(source, "build_sdist", folder)
    with tarfile.open(sdist) as packed:
        packed.extractall(folder / "sdist", filter="data")
    (unpacked,) = (folder / "sdist").iterdir()
    return build(unpacked, "build_wheel", folder)


def test_a_plug_in_comes_out_of_a_wheel_as_out_of_a_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    zips = {}
    for name, path in (("wheel", tmp_path / "site"), ("checkout", ROOT)):
        # The environment's own websockets and msgpack are vendored either way.
        environment = {**os.environ, "PYTHONPATH": str(path)}
        command = [sys.executable, "-m", "bridge.plugins", str(tmp_path / name)]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
        zips[name] = {zipped.name: zipped.read_bytes() for zipped in (tmp_path / name).iterdir()}
    assert "paintbridge-krita.zip" in zips["wheel"]
    assert zips["wheel"] == zips["checkout"]
