"""``paintbridge fill --watch``: an editor that can do no more than save files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bridge.cli.exits import Exit

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")

PATIENCE = 90.0
SIDE = 96
PICTURE = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)


def mask(x: int) -> np.ndarray:
    coverage = np.zeros((SIDE, SIDE, 1), np.uint8)
    coverage[30:50, x : x + 20] = 255
    return coverage


def changed_columns(after: np.ndarray) -> tuple[int, int]:
    columns = np.flatnonzero((after != PICTURE).any(axis=(0, 2)))
    return int(columns[0]), int(columns[-1])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Watching:
    """The command, and what it prints: one JSON object for each picture."""

    def __init__(self, folder: Path, home: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PAINTBRIDGE_URL"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridge.cli", "fill", "--watch", str(folder), "--strict", "--prompt", "a bird",
             "--seed", "1", "--json"],
            env={**environment, "PAINTBRIDGE_HOME": str(home)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stderr is not None
        assert "Watching" in self.process.stderr.readline()

    def told(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=PATIENCE)
        assert out == ""
        return self.process.returncode


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "watched").mkdir()
    return tmp_path / "watched"


@pytest.fixture
def watching(running: Path, folder: Path) -> Iterator[Watching]:
    command = Watching(folder, running)
    yield command
    if command.process.poll() is None:
        command.process.kill()
        command.process.communicate()


def appear(saved: Path, folder: Path, name: str) -> None:
    """As an editor writes it that does so in place: the first half, and the rest later."""
    data = saved.read_bytes()
    with (folder / name).open("wb", 0) as file:
        file.write(data[: len(data) // 2])
        time.sleep(0.3)
        file.write(data[len(data) // 2 :])


def test_from_a_saved_picture_to_a_written_one(
    watching: Watching, folder: Path, running: Path, save: Callable[..., Path], load: Any
) -> None:
    appear(save("m.png", mask(10)), folder, "scene.mask.png")
    (folder / "notes.txt").write_text("not a picture")
    appear(save("p.png", PICTURE), folder, "scene.png")
    filled = folder / "scene.fill.png"
    until(filled.exists)
    # It is whole from the first moment on.
    assert changed_columns(load(filled)) == (10, 29)
    told = watching.told()
    assert (told["image"], told["outputs"][0]["picture"]) == (str(folder / "scene.png"), str(filled))

    shutil.copyfile(save("other.png", mask(50)), folder / "scene.mask.png")
    assert watching.told()["outputs"]
    assert changed_columns(load(filled)) == (50, 69)
    assert {path.name for path in folder.iterdir()} == {"scene.png", "scene.mask.png", "scene.fill.png", "notes.txt"}
    assert watching.stop() == Exit.DONE

    again = Watching(folder, running)
    try:
        # What was filled is not filled again; what comes is.
        shutil.copyfile(save("p2.png", PICTURE), folder / "next.png")
        shutil.copyfile(save("m2.png", mask(30)), folder / "next.mask.png")
        assert again.told()["image"] == str(folder / "next.png")
    finally:
        assert again.stop() == Exit.DONE


def test_what_cannot_be_filled_is_said_in_a_file_until_it_can(
    watching: Watching, folder: Path, save: Callable[..., Path], load: Any
) -> None:
    shutil.copyfile(save("p.png", PICTURE), folder / "scene.png")
    shutil.copyfile(save("m.png", mask(10) * 0), folder / "scene.mask.png")
    told = watching.told()
    assert told["error"]["code"] == "empty_selection"
    trouble = folder / "scene.fill.txt"
    assert "selects nothing" in trouble.read_text(encoding="utf-8")
    assert "white" in trouble.read_text(encoding="utf-8")
    shutil.copyfile(save("m2.png", mask(10)), folder / "scene.mask.png")
    assert watching.told()["outputs"]
    assert not trouble.exists()
    assert changed_columns(load(folder / "scene.fill.png")) == (10, 29)
    assert watching.stop() == Exit.DONE


@pytest.mark.skipif(sys.platform == "darwin", reason="names are text there, in one form")
def test_names_of_any_bytes_and_of_either_form_do_not_end_it(
    watching: Watching, folder: Path, save: Callable[..., Path]
) -> None:
    nfc, nfd = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    latin1 = os.fsdecode("Café".encode("latin-1"))
    selected, nothing = save("m.png", mask(10)), save("n.png", mask(10) * 0)
    picture = save("p.png", PICTURE)
    told = {}
    for name, its_mask, selection in (
        (latin1, latin1, selected),
        (f"{latin1}-2", f"{latin1}-2", nothing),
        (nfc, nfd, selected),
    ):
        shutil.copyfile(picture, folder / f"{name}.png")
        shutil.copyfile(selection, folder / f"{its_mask}.mask.png")
        told[name] = watching.told()
    assert told[latin1]["outputs"]
    assert (folder / f"{latin1}.fill.png").exists()
    assert told[f"{latin1}-2"]["error"]["code"] == "empty_selection"
    assert "Caf\ufffd-2.mask.png" in (folder / f"{latin1}-2.fill.txt").read_text(encoding="utf-8")
    assert told[nfc]["outputs"]
    assert (folder / f"{nfc}.fill.png").exists()
    assert watching.stop() == Exit.DONE
