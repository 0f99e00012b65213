"""The test set: photographs that no weights were trained on, and masks drawn over them.

The list was committed before anything was measured on it. Of six no test of the infill has seen anything either.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..training.compose import step_generator
from ..training.sources import SOURCES, Source, deb_members, fetch

__all__ = ["HELD_OUT", "MASKS", "SIDE", "Heldout", "draw_mask", "held_out", "whole_photograph"]

SIDE = 512
# The shorter side that a photograph is reduced to before its middle is cut out.
_REDUCED = 768
_SEED = 20261124

MATE = Source(
    name="mate-backgrounds",
    client="apt",
    version="1.26.0-1",
    file="mate-backgrounds_1.26.0-1_all.deb",
    sha256="7bf4c2209f34b4f61ba6d24c8b58c28b361e82e4b943aae6d42c030169af9e04",
    licence="GPL-2+; measured on alone: never trained on, never shipped",
)
BUDGIE = SOURCES["budgie-backgrounds"]

HELD_OUT: dict[str, Source] = {
    "canyon-wren": BUDGIE,
    "extreme-desert-hike": BUDGIE,
    "lake-sherburne": BUDGIE,
    "oakland-zoo-otters": BUDGIE,
    "perched-osprey": BUDGIE,
    "tea-gardens": BUDGIE,
    "Blinds": MATE,
    "Dune": MATE,
    "GreenMeadow": MATE,
    "LadyBird": MATE,
    "RainDrops": MATE,
    "Storm": MATE,
}

MASKS = ("rectangle", "ellipse", "brush")


@dataclass(frozen=True)
class Heldout:
    """A photograph's middle: (SIDE, SIDE, 3) uint8."""

    name: str
    rgb: np.ndarray


def held_out(data: Path) -> list[Heldout]:
    """The middles of the photographs of ``HELD_OUT``, in its order."""
    found = {}
    for source in dict.fromkeys(HELD_OUT.values()):
        for member, content in deb_members(fetch(source, data)):
            name = Path(member).stem
            if HELD_OUT.get(name) is source and member.endswith(".jpg"):
                found[name] = Heldout(name, _middle(content))
    return [found[name] for name in HELD_OUT]


def whole_photograph(data: Path, name: str) -> np.ndarray:
    """All of a photograph of ``HELD_OUT`` at the size it comes in: (h, w, 3) uint8."""
    members = deb_members(fetch(HELD_OUT[name], data))
    content = next(content for member, content in members if Path(member).name == f"{name}.jpg")
    return np.array(Image.open(io.BytesIO(content)).convert("RGB"))


def _middle(content: bytes) -> np.ndarray:
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    share = _REDUCED / min(picture.size)
    width, height = round(picture.width * share), round(picture.height * share)
    left, top = (width - SIDE) // 2, (height - SIDE) // 2
    reduced = picture.resize((width, height), Image.Resampling.LANCZOS)
    return np.array(reduced.crop((left, top, left + SIDE, top + SIDE)))


def draw_mask(kind: str, picture: int) -> np.ndarray:
    """(SIDE, SIDE) bool, of a kind of ``MASKS`` for the picture of that number: a twentieth to a fifth of the whole."""
    rng = step_generator(_SEED, picture, MASKS.index(kind))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    if kind == "rectangle":
        width, height = rng.integers(120, 221, 2)
        left, top = rng.integers(40, SIDE - 40 - width), rng.integers(40, SIDE - 40 - height)
        mask[top : top + height, left : left + width] = 1
    elif kind == "ellipse":
        axes = rng.integers(60, 121, 2)
        centre = rng.integers(150, SIDE - 149, 2)
        cv2.ellipse(mask, centre.tolist(), axes.tolist(), float(rng.uniform(0, 180)), 0, 360, 1, -1)
    else:
        points = [rng.integers(80, SIDE - 79, 2)]
        for _ in range(4):
            points.append(np.clip(points[-1] + rng.integers(-160, 161, 2), 60, SIDE - 61))
        thick = int(rng.integers(28, 53))
        cv2.polylines(mask, [np.array(points, np.int32)], False, 1, thick)
        for point in points:
            cv2.circle(mask, point.tolist(), thick // 2, 1, -1)
    return mask.astype(bool)
