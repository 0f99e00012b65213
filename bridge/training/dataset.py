"""A dataset of a user's own images: upright, in sRGB, at sizes that a model takes, with captions.

Aspect-ratio buckets, as in NovelAI's training (2022): each image is resized to about as many pixels as the square of
the resolution, and cropped as little as that allows. Transparent pixels do not count in the loss.
"""

import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips

from ..errors import Sentence
from .errors import NoPictures, PictureUnusable
from .masks import MASK_KINDS, mask_around

__all__ = ["TrainingImage", "random_mask", "read_folder", "training_image"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
# Longer images are cropped: no model was trained on such.
MAX_ASPECT_RATIO = 4.0
# Of the resolution's pixels. Smaller images would be enlarged so much that blur is trained.
MIN_PIXELS = 1 / 16


@dataclass(frozen=True)
class TrainingImage:
    """Pixels (h, w, 3) uint8, each pixel's weight in the loss (h, w) uint8, 0..255, and a caption."""

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
) -> list[TrainingImage]:
    """The images of a folder, sorted by name; NAME.txt beside NAME.png is its caption, else ``caption``.

    ``say`` is told which files are left out. Raises ``NoPictures``, and ``PictureUnusable`` for one that is broken.
    """
    try:
        files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise NoPictures(folder) from error
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not pictures:
        raise NoPictures(folder)
    # A name with accents may be spelled in two ways, and its two files not in the same.
    texts = {unicodedata.normalize("NFC", path.stem): path for path in files if path.suffix == ".txt"}
    beside = {path: texts.get(unicodedata.normalize("NFC", path.stem)) for path in pictures}
    others = [path.name for path in files if path not in pictures and path not in beside.values()]
    if others:
        say(f"left out, for they are no pictures: {', '.join(others[:8])}{' ...' if len(others) > 8 else ''}")
    return [_read(path, beside[path], caption, resolution, multiple) for path in pictures]


def training_image(name: str, rgba: np.ndarray, caption: str, resolution: int, multiple: int) -> TrainingImage:
    """One image of pixels (h, w, 4), float, 0..1, sRGB-encoded, straight alpha. Raises ``PictureUnusable``."""
    pixels = (np.clip(rgba, 0, 1) * 255).round().astype(np.uint8)
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels)).copy(interpretation="srgb")
    width, height = bucket(name, image.width, image.height, resolution, multiple)
    return _of_image(name, image.thumbnail_image(width, height=height, crop="centre"), caption)


def bucket(name: str, width: int, height: int, resolution: int, multiple: int) -> tuple[int, int]:
    """The width and height, multiples of ``multiple``, at which an image is trained on. Never larger than it is, but
    to fill them. Raises ``PictureUnusable`` for one that is too small.
    """
    if width * height < resolution * resolution * MIN_PIXELS:
        raise PictureUnusable(
            name,
            Sentence(
                "{width} x {height} pixels are too few for a resolution of {resolution}",
                width=width,
                height=height,
                resolution=resolution,
            ),
        )
    ratio = min(MAX_ASPECT_RATIO, max(1 / MAX_ASPECT_RATIO, width / height))
    side = math.sqrt(min(resolution * resolution, width * height))
    across, down = side * ratio**0.5, side / ratio**0.5
    return max(1, round(across / multiple)) * multiple, max(1, round(down / multiple)) * multiple


def _read(path: Path, beside: Path | None, caption: str, resolution: int, multiple: int) -> TrainingImage:
    if beside is not None:
        try:
            caption = " ".join(beside.read_text(encoding="utf-8").split())
        except (OSError, UnicodeError) as error:
            raise PictureUnusable(beside.name, "it is no text in UTF-8") from error
    try:
        # Reads the header alone. EXIF may say that the image is rotated.
        upright = pyvips.Image.new_from_file(str(path)).autorot()
        width, height = bucket(path.name, upright.width, upright.height, resolution, multiple)
        image = pyvips.Image.thumbnail(
            str(path), width, height=height, crop="centre", export_profile="srgb", fail_on="error"
        )
        return _of_image(path.name, image, caption)
    except UnicodeEncodeError as error:
        # libvips takes no other name.
        raise PictureUnusable(path.name, "its name is not UTF-8") from error
    except pyvips.Error as error:
        raise PictureUnusable(path.name, "it is damaged, or of a kind that can't be read") from error


def _of_image(name: str, image: pyvips.Image, caption: str) -> TrainingImage:
    """Of an image of the final size; 16 bits and floats become 8, grey becomes RGB."""
    image = image.colourspace("srgb").cast("uchar")
    pixels = image.numpy().reshape(image.height, image.width, -1)
    if pixels.shape[2] == 3:
        return TrainingImage(name, pixels, np.full(pixels.shape[:2], 255, np.uint8), caption)
    coverage = pixels[..., 3]
    if not coverage.any():
        raise PictureUnusable(name, "all of it is transparent")
    # Transparent pixels hold whatever the editor left there: they get the mean colour of the others.
    alpha = coverage[..., None] / 255.0
    mean = (pixels[..., :3] * alpha).sum((0, 1)) / alpha.sum()
    seen = pixels[..., :3] * alpha + mean * (1 - alpha)
    return TrainingImage(name, seen.round().astype(np.uint8), coverage, caption)


def random_mask(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A mask (height, width) bool such as artists draw, at a random place."""
    side = max(height, width)
    thing = np.zeros((side, side), np.float32)
    extent = rng.uniform(0.2, 0.6, 2) * (height, width)
    top, left = (rng.uniform(0, 1, 2) * ((height, width) - extent)).astype(int)
    thing[top : top + int(extent[0]), left : left + int(extent[1])] = 1
    kinds = [kind for kind in MASK_KINDS if kind != "all"]
    return mask_around(rng, thing, str(rng.choice(kinds)))[:height, :width]
