"""Picture files: PNG, TIFF, JPEG and WebP, in and out, through libvips.

Kept: 8 and 16 bits and 32-bit float (TIFF), grey or colour, transparency, the ICC profile, EXIF and XMP. EXIF's
orientation is applied to the pixels and its tag taken away. A file is read as a stream, once for the context and once
for the output, and only a changed rectangle is ever held: everything else goes from the source to the output as it is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from ..protocol.messages import Rect
from .colour import ColourSpace, colour_space
from .exits import CliError

__all__ = [
    "EXTENSIONS",
    "MAXIMUM",
    "Patch",
    "PictureFile",
    "check_output",
    "open_picture",
    "reading",
    "write_alike",
    "write_layer",
    "write_picture",
]

EXTENSIONS = {
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
}
MAXIMUM = {"u8": 255.0, "u16": 65535.0, "f32": 1.0}
_FORMATS = {"uchar": "u8", "ushort": "u16", "float": "f32"}
_DTYPES: dict[str, type[np.generic]] = {"u8": np.uint8, "u16": np.uint16, "f32": np.float32}
_COLOUR_MODELS = ("srgb", "rgb", "rgb16", "scrgb", "b-w", "grey16", "multiband")
_NAMES = {"cmyk": "CMYK", "lab": "Lab", "labs": "Lab", "hsv": "HSV"}
# What a loader notes of a file's packing; a saver would pack in the same way and change pixels.
_PACKING = ("palette", "bits-per-sample", "palette-bit-depth", "interlaced", "jpeg-multiscan")

# The colour profile is among it.
_METADATA = ("icc-profile-data", "exif-data", "xmp-data", "iptc-data")

pyvips.cache_set_max(0)


@dataclass(frozen=True)
class Patch:
    """A rectangle of new pixels, (h, w, bands) in the picture's own depth, and its place."""

    x: int
    y: int
    pixels: NDArray[Any]


@dataclass(frozen=True)
class PictureFile:
    """A picture on disk: its upright size, colour bands (1 grey, 3 RGB), and whether it has transparency."""

    path: Path
    width: int
    height: int
    bands: int
    alpha: bool
    depth: str
    icc: bytes | None

    @property
    def dtype(self) -> type[np.generic]:
        return _DTYPES[self.depth]

    @cached_property
    def space(self) -> ColourSpace:
        return colour_space(self.icc, bands=self.bands, depth=self.depth)

    def stream(self) -> pyvips.Image:
        """The upright picture, to be read once from top to bottom.

        Raises:
            CliError: the file cannot be read.
        """
        return _load(self.path)

    def read(self, rect: Rect) -> NDArray[Any]:
        """Pixels of a rectangle inside the picture, (h, w, bands) in the picture's own depth.

        Raises:
            CliError: the file is damaged.
        """
        with reading(self.path):
            pixels: NDArray[Any] = self.stream().crop(rect.x, rect.y, rect.width, rect.height).numpy()
        return pixels.reshape(rect.height, rect.width, -1)


def open_picture(path: Path) -> PictureFile:
    """What a picture file holds. Reads its header only.

    Raises:
        CliError: it does not exist, cannot be read, has several pages, or a colour model other than RGB and grey.
    """
    image = _load(path)
    if image.get_typeof("n-pages") and image.get("n-pages") > 1:
        raise CliError(
            f"{path.name} has {image.get('n-pages')} pages or frames.",
            "Save the one that you mean as a file of its own.",
        )
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
    icc = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None
    bands = 3 if image.bands >= 3 else 1
    return PictureFile(path, image.width, image.height, bands, image.bands > bands, _FORMATS[image.format], icc)


def check_output(path: Path, *, depth: str, alpha: bool) -> tuple[str, ...]:
    """See that this file can be written and can hold such a picture. Returns what the user should know about it.

    Raises:
        CliError: the folder is missing, the name has no known ending, or the format cannot hold the picture.
    """
    kind = EXTENSIONS.get(path.suffix.lower())
    if kind is None:
        raise CliError(f"{path.name} does not say in which format to write.", f"End it in {', '.join(EXTENSIONS)}.")
    if not path.parent.is_dir():
        raise CliError(f"There is no folder {path.parent}.", "Create it, or choose another output.")
    if depth == "f32" and kind != "tiff":
        raise CliError(f"{kind.upper()} cannot hold a float picture.", "Write a .tiff.")
    if alpha and kind == "jpeg":
        raise CliError("JPEG cannot hold transparency.", "Write a .png, .tiff or .webp.")
    hints = []
    if depth == "u16" and kind in ("jpeg", "webp"):
        hints.append(f"{kind.upper()} holds 8 bits: the whole picture was rounded from 16.")
    if kind == "jpeg":
        hints.append(
            "JPEG is lossy: pixels outside the layer changed a little. PNG, TIFF and WebP are written without loss."
        )
    return tuple(hints)


def write_picture(source: PictureFile | NDArray[Any], path: Path, patch: Patch | None = None) -> None:
    """Write a picture with a rectangle of it replaced; an array, (h, w, 1..4), stands for a new sRGB picture.

    The file appears whole or not at all, so that the source may be overwritten.

    Raises:
        CliError: the source is damaged, or the output cannot be written.
    """
    if isinstance(source, PictureFile):
        with reading(source.path):
            image = source.stream()
    else:
        image = pyvips.Image.new_from_array(source)
        image = image.copy(interpretation=_interpretation(source))
    if patch is not None:
        image = _insert(image, patch)
    _write(image, path)


def write_alike(source: PictureFile, path: Path, pixels: NDArray[Any]) -> None:
    """Write pixels (h, w, bands) in the source's colours as a picture of their own size, with its profile and EXIF.

    Raises:
        CliError: the source cannot be read any more, or the output cannot be written.
    """
    of = source.stream()
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
    image = image.copy(interpretation=of.interpretation, xres=of.xres, yres=of.yres)
    for name in _METADATA:
        if of.get_typeof(name):
            image.set_type(pyvips.GValue.blob_type, name, of.get(name))
    # The pixels are upright; EXIF as it was read may say otherwise.
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)
    _write(image, path)


def write_layer(source: PictureFile, path: Path, patch: Patch) -> None:
    """Write a layer as a transparent picture of the source's size, profile and depth, to be laid over it.

    Raises:
        CliError: the output cannot be written.
    """
    image = pyvips.Image.black(source.width, source.height, bands=source.bands + 1)
    image = image.cast({"u8": "uchar", "u16": "ushort", "f32": "float"}[source.depth])
    image = image.copy(interpretation=source.stream().interpretation)
    if source.icc is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", source.icc)
    _write(_insert(image, patch), path)


def _write(image: pyvips.Image, path: Path) -> None:
    kind = EXTENSIONS[path.suffix.lower()]
    if image.format == "ushort" and kind in ("jpeg", "webp"):
        # Rounded by the same rule as everywhere else, not by the saver's shift.
        image = (image / 257.0).rint().cast("uchar").copy(interpretation="srgb" if image.bands > 2 else "b-w")
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        _save(image, kind, partial)
        partial.replace(path)
    except (pyvips.Error, OSError) as error:
        raise CliError(
            f"{path.name} could not be written.",
            f"Is the disk full or the folder read-only, or is the source damaged? ({_first_line(error)})",
        ) from error
    finally:
        # Where nothing can be written, nothing can be deleted either, whether it is there or not.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _insert(image: pyvips.Image, patch: Patch) -> pyvips.Image:
    new = pyvips.Image.new_from_array(np.ascontiguousarray(patch.pixels)).copy(interpretation=image.interpretation)
    return image.insert(new, patch.x, patch.y)


def _save(image: pyvips.Image, kind: str, path: Path) -> None:
    if kind == "png":
        image.pngsave(str(path), compression=6)
    elif kind == "tiff":
        predictor = "float" if image.format == "float" else "horizontal"
        image.tiffsave(str(path), compression="deflate", predictor=predictor)
    elif kind == "webp":
        image.webpsave(str(path), lossless=True, exact=True)
    else:
        image.jpegsave(str(path), Q=95, subsample_mode="off")


def _load(path: Path) -> pyvips.Image:
    if not path.is_file():
        raise CliError(f"There is no file {path}.", "Check the name.")
    with reading(path):
        image = pyvips.Image.new_from_file(str(path), access="sequential", fail_on="error")
        if image.get_typeof("orientation") and image.get("orientation") != 1:
            # Turning needs rows out of order: libvips unpacks large files to a temporary one.
            image = pyvips.Image.new_from_file(str(path), access="random", fail_on="error").autorot()
        image = image.copy()
        for name in _PACKING:
            if image.get_typeof(name):
                image.remove(name)
    return image


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say an error of libvips in our words. Its streams are read late: wrap whatever pulls pixels out of them."""
    try:
        yield
    except pyvips.Error as error:
        raise CliError(
            f"{path.name} cannot be read as a picture.",
            f"PNG, TIFF, JPEG and WebP can be; this file may be damaged. ({_first_line(error)})",
        ) from error


def _interpretation(pixels: NDArray[Any]) -> str:
    colour = pixels.shape[2] >= 3
    if pixels.dtype == np.uint16:
        return "rgb16" if colour else "grey16"
    return "srgb" if colour else "b-w"


def _first_line(error: Exception) -> str:
    return str(getattr(error, "detail", "") or error).strip().splitlines()[0]
