"""The client's wheel, as `make client` builds it: installed into a fresh environment, where it fills a picture."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from pythons import find_python
from tiny_bridge import TinyBridge

ROOT = Path(__file__).parents[2]
SCRIPT = """
import importlib.util, sys
from bridge.client import Address, Bridge

assert not any(importlib.util.find_spec(name) for name in ("torch", "numpy", "PIL", "bridge.server"))
picture = memoryview(bytes(range(192))).cast("B", (8, 8, 3))
mask = memoryview(bytes(24) + b"\\xff" * 16 + bytes(24)).cast("B", (8, 8))
with Bridge(Address(*sys.argv[1:])) as bridge:
    (layer,) = bridge.fill(picture, mask, prompt="a red berry").layers
print(layer.x, layer.y, layer.__array_interface__["shape"])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder)]
    subprocess.run([*command, str(ROOT / "packaging" / "client")], check=True, timeout=300)
    (built,) = folder.glob("paintbridge_client-*.whl")
    return built


def test_it_holds_the_clients_half_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    code = {name for name in names if ".dist-info/" not in name}
    rooms = [ROOT / "bridge" / room for room in ("protocol", "client")]
    wanted = {path.relative_to(ROOT).as_posix() for room in rooms for path in room.glob("*.py")}
    assert code == {
        *wanted,
        "bridge/__init__.py",
        "bridge/control_kinds.py",
        "bridge/errors.py",
        "bridge/home.py",
        "bridge/py.typed",
    }
    assert any(name.endswith("/LICENSE") for name in names)


def test_it_is_of_the_bridges_release_and_asks_for_the_same() -> None:
    whole, client = (
        tomllib.loads((ROOT / path).read_text())["project"]
        for path in ("pyproject.toml", "packaging/client/pyproject.toml")
    )
    assert client["version"] == whole["version"]
    assert set(client["dependencies"]) <= set(whole["dependencies"])


@pytest.mark.parametrize("version", ["3.9", "this"])
def test_a_fresh_environment_needs_nothing_more(wheel: Path, tiny: TinyBridge, tmp_path: Path, version: str) -> None:
    python = sys.executable if version == "this" else find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here; set PAINTBRIDGE_PYTHON{version.replace('.', '')} to one")
    subprocess.run([python, "-m", "venv", str(tmp_path / "fresh")], check=True, timeout=120)
    own = tmp_path / "fresh" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    install = [str(own), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(wheel)]
    subprocess.run(install, check=True, timeout=300)
    address = tiny.address()
    done = subprocess.run(
        [str(own), "-I", "-W", "error", "-c", SCRIPT, address.url, address.token],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0 3 (2, 8, 4)"
