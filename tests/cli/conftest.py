"""Pictures in files, made afresh and seeded; commands, and a bridge for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from tiny_checkpoints import build_tiny_sd1
from tiny_controlnets import build_tiny_controlnet

from bridge.cli import main

# libvips would remember what a file held before a command wrote it anew.
pyvips.cache_set_max(0)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write an array (h, w, bands) to a file of the test's folder, with a profile and an EXIF orientation if wanted."""

    def write(name: str, pixels: np.ndarray, *, icc: bytes | None = None, orientation: int = 0, **options: Any) -> Path:
        image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
        colour = pixels.shape[2] >= 3
        wide = pixels.dtype == np.uint16
        kind = ("rgb16" if wide else "srgb") if colour else ("grey16" if wide else "b-w")
        image = image.copy(interpretation="scrgb" if pixels.dtype == np.float32 and colour else kind)
        if icc is not None:
            image.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
        if orientation:
            image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
        path = tmp_path / name
        image.write_to_file(str(path), **options)
        return path

    return write


@pytest.fixture
def load() -> Callable[[Path], np.ndarray]:
    """Read a file's pixels as they stand, (h, w, bands)."""

    def read(path: Path) -> np.ndarray:
        image = pyvips.Image.new_from_file(str(path))
        return image.numpy().reshape(image.height, image.width, -1)

    return read


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bridge's home with tiny checkpoints: `tiny` paints 64 pixels, `large` 256; `slow` takes its time; `small` is
    like mini.
    """
    home = tmp_path_factory.mktemp("cli-home")
    build_tiny_sd1(home / "models" / "tiny", inpaint=True)
    build_tiny_sd1(home / "models" / "large", inpaint=False, size=256)
    build_tiny_sd1(home / "models" / "slow", inpaint=True, size=256, steps=1000)
    build_tiny_sd1(home / "models" / "small", inpaint=True, empty_prompt="infill", known_names=("balloon", "star"))
    build_tiny_controlnet(home / "models" / "tiny", home / "models" / "controlnet" / "tiny_scribble", speaks=0.3)
    (home / "settings.toml").write_text('default_checkpoint = "tiny"\n')
    return home


@pytest.fixture(scope="session")
def running(home: Path) -> Iterator[Path]:
    """A bridge that runs, for the tests that need one and not the start of one. Gives its home."""
    environment = {**os.environ, "PAINTBRIDGE_HOME": str(home)}
    command = [sys.executable, "-m", "bridge.cli", "serve", "--port", "0", "--log-level", "info"]
    log = (home / "bridge.log").open("w")
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Paintbridge listens on ws://127.0.0.1:"), log.name
    yield home
    process.terminate()
    assert process.wait(30) == 0
    process.stdout.close()
    log.close()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command in this process, with the bridge's home at ``home``."""

    def command(*arguments: object, home: Path, **environment: str) -> Ran:
        for name in ("PAINTBRIDGE_URL", "PAINTBRIDGE_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {"PAINTBRIDGE_HOME": str(home), **environment}.items():
            monkeypatch.setenv(name, value)
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        return Ran(code, *capfd.readouterr())

    return command
