"""An artist's own pictures, ready to be learnt from: upright, in sRGB, of sizes that a model takes, with captions.

Each keeps its shape: it is brought to about as many pixels as the resolution's square has, and cut as little as that
allows (aspect-ratio buckets, as in NovelAI's training of 2022). What is transparent is not learnt.
"""

import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips

from bridge.training.errors import NoPictures, PictureUnusable
from bridge.training.masks import MASK_KINDS, mask_around

from ..errors import Sentence

__all__ = ["Lesson", "lesson_of", "mask_somewhere", "read_folder"]

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
# Longer pictures are cut: no model has seen such.
WIDEST = 4.0
# With fewer pixels than this share of what is wanted, enlarged ones would teach blur.
LEAST = 1 / 16


@dataclass(frozen=True)
class Lesson:
    """A picture to learn from: pixels (h, w, 3) uint8, how much of each counts (h, w) uint8, and what it shows."""

    name: str
    pixels: np.ndarray
    coverage: np.ndarray
    caption: str

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.coverage.shape
        return height, width


def read_folder(
    folder: Path, caption: str, resolution: int, multiple: int, *, say: Callable[[str], None]
) -> list[Lesson]:
    """The pictures of a folder, by name; NAME.txt beside NAME.png says what that shows, else ``caption``.

    ``say`` hears what else lies there. Raises ``NoPictures``, and ``PictureUnusable`` for one that is broken.
    """
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise NoPictures(folder) from error
    pictures = [path for path in files if path.suffix.lower() in ENDINGS]
    if not pictures:
        raise NoPictures(folder)
    # A name with accents may be spelled in two ways, and its two files not in the same.
    texts = {unicodedata.normalize("NFC", path.stem): path for path in files if path.suffix == ".txt"}
    beside = {path: texts.get(unicodedata.normalize("NFC", path.stem)) for path in pictures}
    others = [path.name for path in files if path not in pictures and path not in beside.values()]
    if others:
        say(f"left out, for they are no pictures: {', '.join(others[:8])}{' ...' if len(others) > 8 else ''}")
    return [_read(path, beside[path], caption, resolution, multiple) for path in pictures]


def lesson_of(name: str, rgba: np.ndarray, caption: str, resolution: int, multiple: int) -> Lesson:
    """The same of pixels (h, w, 4), float, 0..1, sRGB-encoded, straight alpha. Raises ``PictureUnusable``."""
    pixels = (np.clip(rgba, 0, 1) * 255).round().astype(np.uint8)
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels)).copy(interpretation="srgb")
    width, height = bucket(name, image.width, image.height, resolution, multiple)
    return _lesson(name, image.thumbnail_image(width, height=height, crop="centre"), caption)


def bucket(name: str, width: int, height: int, resolution: int, multiple: int) -> tuple[int, int]:
    """The width and height, multiples of ``multiple``, at which a picture is learnt from. Never larger than it is, but
    to fill them. Raises ``PictureUnusable`` for one that is too small.
    """
    if width * height < resolution * resolution * LEAST:
        raise PictureUnusable(
            name,
            Sentence(
                "{width} x {height} pixels are too few for a resolution of {resolution}",
                width=width,
                height=height,
                resolution=resolution,
            ),
        )
    ratio = min(WIDEST, max(1 / WIDEST, width / height))
    side = math.sqrt(min(resolution * resolution, width * height))
    across, down = side * ratio**0.5, side / ratio**0.5
    return max(1, round(across / multiple)) * multiple, max(1, round(down / multiple)) * multiple


def _read(path: Path, beside: Path | None, caption: str, resolution: int, multiple: int) -> Lesson:
    if beside is not None:
        try:
            caption = " ".join(beside.read_text(encoding="utf-8").split())
        except (OSError, UnicodeError) as error:
            raise PictureUnusable(beside.name, "it is no text in UTF-8") from error
    try:
        # Its head alone; turned, for EXIF may say that it lies on its side.
        upright = pyvips.Image.new_from_file(str(path)).autorot()
        width, height = bucket(path.name, upright.width, upright.height, resolution, multiple)
        image = pyvips.Image.thumbnail(
            str(path), width, height=height, crop="centre", export_profile="srgb", fail_on="error"
        )
        return _lesson(path.name, image, caption)
    except UnicodeEncodeError as error:
        # libvips takes no other name.
        raise PictureUnusable(path.name, "its name is not UTF-8") from error
    except pyvips.Error as error:
        raise PictureUnusable(path.name, "it is damaged, or of a kind that can't be read") from error


def _lesson(name: str, image: pyvips.Image, caption: str) -> Lesson:
    """Of an image of the final size; 16 bits and floats become 8, grey becomes RGB."""
    image = image.colourspace("srgb").cast("uchar")
    pixels = image.numpy().reshape(image.height, image.width, -1)
    if pixels.shape[2] == 3:
        return Lesson(name, pixels, np.full(pixels.shape[:2], 255, np.uint8), caption)
    coverage = pixels[..., 3]
    if not coverage.any():
        raise PictureUnusable(name, "all of it is transparent")
    # Under transparency lies whatever the editor left there: the mean of what is seen stands in for it.
    alpha = coverage[..., None] / 255.0
    mean = (pixels[..., :3] * alpha).sum((0, 1)) / alpha.sum()
    seen = pixels[..., :3] * alpha + mean * (1 - alpha)
    return Lesson(name, seen.round().astype(np.uint8), coverage, caption)


def mask_somewhere(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A mask (height, width) bool such as artists draw, around nothing in particular."""
    side = max(height, width)
    thing = np.zeros((side, side), np.float32)
    extent = rng.uniform(0.2, 0.6, 2) * (height, width)
    top, left = (rng.uniform(0, 1, 2) * ((height, width) - extent)).astype(int)
    thing[top : top + int(extent[0]), left : left + int(extent[1])] = 1
    kinds = [kind for kind in MASK_KINDS if kind != "all"]
    return mask_around(rng, thing, str(rng.choice(kinds)))[:height, :width]
