"""Screenshots as the documentation shows them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

__all__ = ["small"]


def small(screenshot: Path, target: Path) -> None:
    """The same as a JPEG, whose file is small."""
    Image.open(screenshot).convert("RGB").save(target, quality=88, subsampling=0, optimize=True)
