"""Photographs, and contact sheets for people to look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest

PHOTOS = Path(__file__).parent.parent / "photos"


@lru_cache(maxsize=2)
def _read(name: str) -> np.ndarray:
    data = cv2.imread(str(PHOTOS / f"{name}.jpg"), cv2.IMREAD_COLOR)
    assert data is not None, f"no photograph {name}"
    return cv2.cvtColor(data, cv2.COLOR_BGR2RGB).astype(np.float32) / 255


@pytest.fixture(scope="session")
def photo() -> Callable[..., np.ndarray]:
    """photo(name, x, y, width, height): a crop of one of tests/photos, (h, w, 3) float32."""

    def crop(name: str, x: int, y: int, width: int, height: int) -> np.ndarray:
        cut = _read(name)[y : y + height, x : x + width]
        assert cut.shape == (height, width, 3)
        return cut.copy()

    return crop


@pytest.fixture(scope="session")
def sheet() -> Callable[[str, list[np.ndarray]], None]:
    """sheet(name, pictures): a row of pictures of one height, written if PAINTBRIDGE_TEST_OUTPUT names a folder."""

    def write(name: str, pictures: list[np.ndarray]) -> None:
        folder = os.environ.get("PAINTBRIDGE_TEST_OUTPUT")
        if not folder:
            return
        path = Path(folder) / "canvas"
        path.mkdir(parents=True, exist_ok=True)
        colour = [np.repeat(p[..., None], 3, axis=2) if p.ndim == 2 else p[..., :3] for p in pictures]
        row = np.clip(np.hstack(colour) * 255 + 0.5, 0, 255).astype(np.uint8)
        cv2.imwrite(str(path / f"{name}.png"), cv2.cvtColor(row, cv2.COLOR_RGB2BGR))

    return write
