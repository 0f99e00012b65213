"""Other inpainting methods to compare with: OpenCV's and G'MIC's, each with its own defaults."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ..training.errors import TrainingError

__all__ = ["InpaintMethod", "other_methods"]

InpaintMethod = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From a picture (h, w, 3) uint8 and a mask (h, w) bool to the picture with the mask filled."""

_RADIUS = 5


def other_methods() -> dict[str, InpaintMethod]:
    """The methods by name; G'MIC only where it is installed (Debian's package gmic)."""
    found: dict[str, InpaintMethod] = {
        "OpenCV Telea": _diffused(cv2.INPAINT_TELEA),
        "OpenCV Navier-Stokes": _diffused(cv2.INPAINT_NS),
        "OpenCV SHIFTMAP": _shiftmap,
    }
    gmic = shutil.which("gmic")
    if gmic:
        found["G'MIC matchpatch"] = _matchpatch(gmic)
    return found


def _diffused(method: int) -> InpaintMethod:
    def fill(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.inpaint(rgb, mask.astype(np.uint8), _RADIUS, method))

    return fill


def _shiftmap(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    filled = np.empty_like(lab)
    cv2.xphoto.inpaint(lab, np.where(mask, 0, 255).astype(np.uint8), filled, cv2.xphoto.INPAINT_SHIFTMAP)
    return np.asarray(cv2.cvtColor(filled, cv2.COLOR_LAB2RGB))


def _matchpatch(gmic: str) -> InpaintMethod:
    def fill(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            picture, hole, out = (str(Path(folder) / name) for name in ("picture.png", "hole.png", "out.png"))
            cv2.imwrite(picture, rgb[..., ::-1])
            cv2.imwrite(hole, mask.astype(np.uint8) * 255)
            # Without rounding it would write 16 bits.
            rounded = ("-round[0]", "-cut[0]", "0,255", "-output[0]", out)
            command = [gmic, "-v", "0", picture, hole, "-inpaint_matchpatch[0]", "[1]", *rounded]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            filled = cv2.imread(out)
        if filled is None:
            raise TrainingError(f"G'MIC gave no picture: {done.stderr.strip() or done.returncode}.")
        return np.ascontiguousarray(filled[..., ::-1])

    return fill
