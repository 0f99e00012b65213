"""Pixels that GIMP has dumped."""

from __future__ import annotations

from typing import Any

import numpy as np
from gimp_host import GimpHost

__all__ = ["layer_pixels"]


def layer_pixels(gimp: GimpHost, layer: dict[str, Any]) -> np.ndarray:
    """A layer of an 8-bit image as ``inside.describe`` describes it, (h, w, 4)."""
    _, _, width, height = layer["at"]
    return gimp.pixels("dump", (height, width, 4), layer=layer["id"], form="R'G'B'A u8")
