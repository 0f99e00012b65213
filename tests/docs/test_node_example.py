"""The whole client in JavaScript that docs/protocol.md shows, against a real bridge."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from node_packages import install_packages
from whole_bridge import PATIENCE, BridgeProcess

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def folder() -> Path:
    return install_packages(DOCS / "examples")


def run(folder: Path, home: Path, pictures: Path, mask: str) -> subprocess.CompletedProcess[str]:
    names = [str(pictures / name) for name in ("photo.png", mask, "out.png")]
    return subprocess.run(
        ["node", "fill.mjs", *names, "a red berry"],
        cwd=folder,
        env={**os.environ, "PAINTBRIDGE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_it_is_short_and_stands_in_the_guide() -> None:
    text = (DOCS / "examples" / "fill.mjs").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    assert text in (DOCS / "protocol.md").read_text(encoding="utf-8")


def test_it_fills_what_is_white_and_little_else(folder: Path, serve: BridgeProcess, pictures: Path) -> None:
    done = run(folder, serve.home, pictures, "mask.png")
    assert done.returncode == 0, done.stderr
    assert "denoise" in done.stdout
    assert "checkpoint tiny" in done.stdout
    photo, mask, filled = (
        cv2.imread(str(pictures / name), cv2.IMREAD_UNCHANGED) for name in ("photo.png", "mask.png", "out.png")
    )
    changed = (filled[..., :3] != photo).any(axis=2)
    assert (filled[..., 3] == 255).all()
    assert changed[mask == 255].mean() > 0.95
    # Alpha ends a few pixels beyond the selection: what is far from it is as it was.
    distance = cv2.distanceTransform((mask == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert not changed[distance > 32].any()


def test_it_says_what_the_bridge_says(folder: Path, serve: BridgeProcess, pictures: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(pictures / "empty.png"), np.zeros((240, 320), np.uint8))
    assert "Nothing is white" in run(folder, serve.home, pictures, "empty.png").stderr
    runtime = (serve.home / "runtime.json").read_text()
    other = tmp_path / "other-home"
    other.mkdir()
    (other / "runtime.json").write_text(runtime.replace(serve.address().token, "wrong"))
    refused = run(folder, other, pictures, "mask.png")
    assert refused.returncode != 0
    assert "unauthorized: The bridge refused the token." in refused.stderr
