"""Pictures in files, made afresh and seeded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips


def profile(name: str) -> bytes:
    """One of libvips' own profiles: srgb, p3, cmyk."""
    return pyvips.Image.profile_load(name)


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
