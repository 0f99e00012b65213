"""A bridge for the documents' examples, and pictures for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from private_home import private_home
from tiny_checkpoints import build_tiny_sd1
from whole_bridge import PHOTOS, BridgeProcess, serving

__all__ = ["private_home"]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeProcess]:
    """A bridge with a checkpoint that paints 64 pixels, and one that takes its time."""
    home = tmp_path_factory.mktemp("examples-home")
    build_tiny_sd1(home / "models" / "tiny", inpaint=True)
    build_tiny_sd1(home / "models" / "slow", inpaint=True, size=256, steps=400)
    with serving(home, "--default-checkpoint", "tiny") as process:
        yield process


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with ``photo.png``, and ``mask.png``, in which a soft ellipse is white."""
    photo = cv2.resize(cv2.imread(str(PHOTOS / "lake-sherburne.jpg")), (320, 240), interpolation=cv2.INTER_AREA)
    mask = np.zeros((240, 320), np.uint8)
    cv2.ellipse(mask, (170, 110), (50, 30), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    cv2.imwrite(str(tmp_path / "mask.png"), cv2.GaussianBlur(mask, (9, 9), 0))
    return tmp_path
