"""Picture files, read through libvips: PNG, TIFF, JPEG and WebP, and what else it knows.

8 and 16 bits and 32-bit float (TIFF), grey or colour, transparency, any RGB or grey profile. EXIF's orientation is
applied to the pixels. A file is read as a stream, once for the context and once for the output, and only a changed
rectangle is ever held: everything else goes from the source to the output as it is (:mod:`.saving`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from ..protocol.messages import Rect
from .colour import ColourSpace, colour_space
from .exits import CliError
from .filenames import existing, native
from .metadata import Found, Part, parse_exif, read_found
from .png_colour import PngColour, png_colour

__all__ = ["MAXIMUM", "PictureFile", "first_line", "open_picture", "reading"]

MAXIMUM = {"u8": 255.0, "u16": 65535.0, "f32": 1.0}
_FORMATS = {"uchar": "u8", "ushort": "u16", "float": "f32"}
_DTYPES: dict[str, type[np.generic]] = {"u8": np.uint8, "u16": np.uint16, "f32": np.float32}
_COLOUR_MODELS = ("srgb", "rgb", "rgb16", "scrgb", "b-w", "grey16", "multiband")
_NAMES = {"cmyk": "CMYK", "lab": "Lab", "labs": "Lab", "hsv": "HSV"}
# What a loader notes of a file's packing; a saver would pack in the same way and change pixels.
_PACKING = ("palette", "bits-per-sample", "palette-bit-depth", "interlaced", "jpeg-multiscan")
# By name, so that a JPEG with a gain map is read as the picture that every viewer shows.
_LOADERS = {"png": "pngload", "jpeg": "jpegload", "webp": "webpload", "tiff": "tiffload"}
_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff"),
}

pyvips.cache_set_max(0)


@dataclass(frozen=True)
class PictureFile:
    """A picture on disk: its upright size, colour bands (1 grey, 3 RGB), and whether it has transparency.

    ``kind`` is ``png``, ``jpeg``, ``webp`` or ``tiff``; "" for what else libvips reads. ``embedded`` is its profile;
    ``icc`` the one that it has or, a PNG, speaks of. ``turned``: whether EXIF's orientation was applied. ``found`` is
    what it carries beside its pixels.
    """

    path: Path
    width: int
    height: int
    bands: int
    alpha: bool
    depth: str
    kind: str = ""
    embedded: bytes | None = None
    colour: PngColour = field(default_factory=PngColour)
    turned: bool = False
    found: Found = field(default_factory=Found)

    @property
    def dtype(self) -> type[np.generic]:
        return _DTYPES[self.depth]

    @property
    def icc(self) -> bytes | None:
        return self.colour.icc

    @cached_property
    def space(self) -> ColourSpace:
        return colour_space(self.icc, bands=self.bands, depth=self.depth, hdr=self.colour.hdr)

    def stream(self) -> pyvips.Image:
        """The upright picture, to be read once from top to bottom.

        Raises:
            CliError: the file cannot be read.
        """
        return _load(self.path, self.kind)[0]

    def read(self, rect: Rect) -> NDArray[Any]:
        """Pixels of a rectangle inside the picture, (h, w, bands) in the picture's own depth.

        Raises:
            CliError: the file is damaged.
        """
        with reading(self.path):
            pixels: NDArray[Any] = self.stream().crop(rect.x, rect.y, rect.width, rect.height).numpy()
        return pixels.reshape(rect.height, rect.width, -1)


def open_picture(path: Path) -> PictureFile:
    """What a picture file holds. Reads no pixels.

    Raises:
        CliError: it does not exist, cannot be read, has several pages or frames, or a colour model other than RGB and
            grey.
    """
    path = existing(path)
    if not os.path.isfile(path):
        raise CliError(f"There is no file {path}.", "Check the name.")
    with reading(path):
        kind = _kind(path)
        found = read_found(path, kind) if kind else Found()
    image, turned = _load(path, kind)
    if not kind:
        found = _found_by_libvips(image)
    frames = max(found.frames, image.get("n-pages") if image.get_typeof("n-pages") else 1)
    if frames > 1:
        raise CliError(f"{path.name} has {frames} pages or frames.", "Save the one that you mean as a file of its own.")
    if image.interpretation not in _COLOUR_MODELS or image.bands > 4:
        model = _NAMES.get(image.interpretation, f"{image.bands}-channel ({image.interpretation})")
        raise CliError(
            f"{path.name} is a {model} picture; Paintbridge paints in RGB and grey only.",
            "Convert it to RGB in your editor, with the profile that its printer wants, and back afterwards.",
        )
    if image.format not in _FORMATS:
        raise CliError(
            f"{path.name} has pixels of type {image.format}.", "Save it with 8 or 16 bits, or as 32-bit float."
        )
    embedded = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None
    bands = 3 if image.bands >= 3 else 1
    return PictureFile(
        path, image.width, image.height, bands, image.bands > bands, _FORMATS[image.format], kind, embedded,
        png_colour(found.colour, embedded, bands), turned, found,
    )  # fmt: skip


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(12)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    return next((kind for beginning, kind in _BEGINNINGS.items() if start.startswith(beginning)), "")


def _load(path: Path, kind: str) -> tuple[pyvips.Image, bool]:
    """The upright picture, and whether it was turned."""
    with reading(path):
        image = _open(path, kind, "sequential")
        turned = bool(image.get_typeof("orientation")) and image.get("orientation") != 1
        if turned:
            # Turning needs rows out of order: libvips unpacks large files to a temporary one.
            image = _open(path, kind, "random").autorot()
        image = image.copy()
        for name in _PACKING:
            if image.get_typeof(name):
                image.remove(name)
    return image, turned


def _open(path: Path, kind: str, access: str) -> pyvips.Image:
    if kind:
        return getattr(pyvips.Image, _LOADERS[kind])(native(path), access=access, fail_on="error")
    return pyvips.Image.new_from_file(str(path), access=access, fail_on="error")


def _found_by_libvips(image: pyvips.Image) -> Found:
    """What libvips knows of a file of another format."""
    blocks = {name: image.get(f"{name}-data") for name in ("exif", "xmp") if image.get_typeof(f"{name}-data")}
    with contextlib.suppress(ValueError):
        return Found(parse_exif(blocks["exif"]) if "exif" in blocks else None, blocks.get("xmp", b""))
    return Found(xmp=blocks.get("xmp", b""), left=frozenset({Part.DAMAGED}))


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say an error of libvips in our words. Its streams are read late: wrap whatever pulls pixels out of them."""
    try:
        yield
    except (pyvips.Error, OSError, UnicodeError) as error:
        raise CliError(
            f"{path.name} cannot be read as a picture.",
            f"PNG, TIFF, JPEG and WebP can be; this file may be damaged. ({first_line(error)})",
        ) from error


def first_line(error: Exception) -> str:
    """What libvips or the system says, in short."""
    return str(getattr(error, "detail", "") or error).strip().splitlines()[0]
