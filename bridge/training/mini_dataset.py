"""The dataset that mini is trained on: the pictures in the packages. Every one is public domain, CC0 or MIT."""

import io
import re
import tarfile
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .sources import SOURCES, deb_members, fetch

__all__ = ["HELD_OUT_PHOTOGRAPHS", "Cutout", "Photograph", "cutouts", "may_be_trained_on", "photographs"]

LONGEST_SIDE = 1600
SKIN_TONES = {f"{code:x}" for code in range(0x1F3FB, 0x1F400)}

# These are for demos and tests (tests/photos), so no weights may have seen them.
HELD_OUT_PHOTOGRAPHS = (
    "canyon-wren",
    "extreme-desert-hike",
    "lake-sherburne",
    "oakland-zoo-otters",
    "perched-osprey",
    "tea-gardens",
)

SKIMAGE_PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "brick.png",
    "grass.png",
    "gravel.png",
    "rocket.jpg",
)


@dataclass(frozen=True)
class Cutout:
    """A thing without its background: (256, 256, 4) uint8, sRGB with straight alpha."""

    code: str
    name: str
    rgba: np.ndarray


@dataclass(frozen=True)
class Photograph:
    """A photograph: (height, width, 3) uint8 sRGB, at most ``LONGEST_SIDE`` pixels long."""

    name: str
    rgb: np.ndarray


def cutouts(folder: Path) -> list[Cutout]:
    """All things of the emoji set but the skin tone variants, sorted by code; several code points join with ``-``."""
    found = []
    path = fetch(SOURCES["@lobehub/fluent-emoji-3d"], folder)
    with tarfile.open(path) as archive:
        for member in archive:
            matched = re.search(r"/assets/([0-9a-f-]+)\.webp$", member.name)
            if not matched or SKIN_TONES & set(matched[1].split("-")):
                continue
            picture = Image.open(io.BytesIO(archive.extractfile(member).read())).convert("RGBA")  # type: ignore[union-attr]
            found.append(Cutout(matched[1], _unicode_name(matched[1]), np.asarray(picture)))
    return sorted(found, key=lambda cutout: cutout.code)


def _unicode_name(code: str) -> str:
    points = [int(part, 16) for part in code.split("-") if part not in ("fe0f", "200d")]
    return " ".join(unicodedata.name(chr(point), "").lower() for point in points).strip()


def photographs(folder: Path) -> list[Photograph]:
    """The photographs and textures that may be trained on: never one of ``HELD_OUT_PHOTOGRAPHS``."""
    found = []
    for name, content in deb_members(fetch(SOURCES["budgie-backgrounds"], folder)):
        if may_be_trained_on(name):
            found.append(_photograph(Path(name).stem, content))
    with zipfile.ZipFile(fetch(SOURCES["scikit-image"], folder)) as wheel:
        found += [_photograph(Path(name).stem, wheel.read(f"skimage/data/{name}")) for name in SKIMAGE_PHOTOGRAPHS]
    return sorted(found, key=lambda photograph: photograph.name)


def may_be_trained_on(name: str) -> bool:
    """Whether a file of the photographs' package is a photograph that is not held out."""
    return name.endswith(".jpg") and Path(name).stem not in HELD_OUT_PHOTOGRAPHS


def _photograph(name: str, content: bytes) -> Photograph:
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return Photograph(name, np.asarray(picture))
