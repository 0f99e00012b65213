"""Photograph-sized and poster-sized pictures: nothing changes outside, and memory does not grow with the poster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
import pyvips

PHOTO = Path(__file__).parent.parent / "photos" / "lake-sherburne.jpg"
GIB = 1 << 30
SIZES = {"photograph": (1920, 1280), "poster": (8192, 8192)}
SELECTIONS = {"small": 40, "large": 1500}


class MemoryWatch(threading.Thread):
    """The most memory that a process and its children have held together.

    Proportional set size where the system tells it, so that shared memory counts once; else resident set size.
    """

    def __init__(self, process: psutil.Popen) -> None:
        super().__init__(daemon=True)
        self.peak = 0
        self._process = process
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._ended.wait(0.05):
            self.peak = max(self.peak, self._held())

    def stop(self) -> int:
        self._ended.set()
        self.join()
        return self.peak

    def _held(self) -> int:
        total = 0
        try:
            for process in [self._process, *self._process.children(recursive=True)]:
                found = process.memory_full_info()
                total += getattr(found, "pss", found.rss)
        except psutil.Error:
            return 0
        return total


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two pictures, and a mask for each selection in each of them."""
    made = tmp_path_factory.mktemp("large")
    for name, (width, height) in SIZES.items():
        photo = pyvips.Image.new_from_file(str(PHOTO))
        photo = photo.resize(width / photo.width, vscale=height / photo.height)
        photo.crop(0, 0, width, height).pngsave(str(made / f"{name}.png"), compression=1)
        for selection, size in SELECTIONS.items():
            mask = np.zeros((height, width), np.uint8)
            cv2.ellipse(
                mask, (width // 2, height // 2), (size // 2, min(size, height) // 2), 0, 0, 360, 255, cv2.FILLED
            )
            image = pyvips.Image.new_from_array(mask).copy(interpretation="b-w")
            image.pngsave(str(made / f"{name}-{selection}.png"), compression=1)
    return made


def fill(home: Path, folder: Path, name: str, selection: str, *options: str) -> tuple[dict[str, Any], int]:
    command = [sys.executable, "-m", "bridge.cli", "fill", f"{name}.png", "--mask", f"{name}-{selection}.png"]
    command += ["--prompt", "", "--seed", "1", "-o", "out.tif", "--json", *options]
    environment = {**os.environ, "PAINTBRIDGE_HOME": str(folder / "home"), "PAINTBRIDGE_DEFAULT_CHECKPOINT": "tiny"}
    environment["PAINTBRIDGE_MODELS_FOLDERS"] = str(home / "models")
    process = psutil.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    watch = MemoryWatch(process)
    out, err = process.communicate()
    peak = watch.stop()
    assert process.returncode == 0, err
    return json.loads(out), peak


def test_nothing_changes_outside_and_memory_stays_small(home: Path, folder: Path) -> None:
    peaks: dict[tuple[str, str], int] = {}
    for name, selection, strict in (
        ("photograph", "large", True),
        ("poster", "small", True),
        ("poster", "large", False),
    ):
        done, peak = fill(home, folder, name, selection, *(["--strict"] if strict else []))
        peaks[name, selection] = peak
        recipe = done["outputs"][0]["recipe"]
        allowed = 0.0 if strict else recipe["settings"]["edges"]["grow"] + recipe["settings"]["edges"]["feather"]
        check(folder, name, selection, allowed)
    for (name, selection), peak in peaks.items():
        print(f"{name} {SIZES[name]}, selection of {SELECTIONS[selection]}: {peak / GIB:.2f} GiB at the peak")
    for selection in SELECTIONS:
        assert peaks["poster", selection] - peaks["photograph", "large"] < 1.5 * GIB


def check(folder: Path, name: str, selection: str, allowed: float) -> None:
    """Pixels farther than ``allowed`` from the selection are what they were."""
    before, after = (pyvips.Image.new_from_file(str(folder / file)) for file in (f"{name}.png", "out.tif"))
    assert (before.width, before.height, before.bands) == (after.width, after.height, after.bands)
    differs = (before != after).bandor().numpy() > 0
    mask = pyvips.Image.new_from_file(str(folder / f"{name}-{selection}.png")).numpy()
    assert differs[mask > 0].mean() > 0.9
    rows, columns = (np.flatnonzero(differs.any(axis=axis)) for axis in (1, 0))
    near = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    beyond = cv2.distanceTransform((mask[near] == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert beyond[differs[near]].max() <= allowed
