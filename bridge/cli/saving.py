"""Picture files, written: whole or not at all, with their metadata (:mod:`.metadata`), and refused before painting.

PNG, TIFF and WebP without loss, JPEG at quality 95.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from .exits import CliError
from .filenames import native
from .metadata import Blocks, for_layer, prepare, write_blocks
from .pictures import PictureFile, first_line, reading

__all__ = [
    "EXTENSIONS",
    "Patch",
    "Shape",
    "check_output",
    "losses",
    "rescue",
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
_LONGEST_SIDE = {"png": (1 << 31) - 1, "tiff": (1 << 32) - 1, "jpeg": 65500, "webp": 16383}
"""Pixels: PNG 11.2.1, TIFF's 32 bits, libjpeg's JPEG_MAX_DIMENSION, RFC 9649."""
_TIFF_BYTES = (1 << 32) - (1 << 26)
"""Above this many bytes of pixels a TIFF becomes a BigTIFF: 4 GiB, with room for what deflate adds to noise."""
_DEPTH_BYTES = {"u8": 1, "u16": 2, "f32": 4}


@dataclass(frozen=True)
class Patch:
    """A rectangle of new pixels, (h, w, bands) in the picture's own depth, and its place."""

    x: int
    y: int
    pixels: NDArray[Any]


@dataclass(frozen=True)
class Shape:
    """What an output file must hold: width and height in pixels, ``u8``, ``u16`` or ``f32``, transparency, and colours
    that only PNG can speak of (PQ and HLG).
    """

    width: int
    height: int
    depth: str = "u8"
    alpha: bool = False
    hdr: bool = False

    @classmethod
    def of(cls, source: PictureFile) -> Shape:
        """The source's own."""
        return cls(source.width, source.height, source.depth, source.alpha, source.colour.hdr is not None)


def check_output(path: Path, shape: Shape) -> tuple[str, ...]:
    """See that this file can be written and can hold such a picture. Returns what the user should know about it.

    Raises:
        CliError: the folder is missing or cannot be written to, the name has no known ending or is taken by a folder,
            or the format cannot hold the picture.
    """
    kind = EXTENSIONS.get(path.suffix.lower())
    if kind is None:
        raise CliError(f"{path.name} does not say in which format to write.", f"End it in {', '.join(EXTENSIONS)}.")
    if not os.path.isdir(path.parent):
        raise CliError(f"There is no folder {path.parent}.", "Create it, or choose another output.")
    if os.path.isdir(path):
        raise CliError(f"{path} is a folder.", "Choose another output.")
    if shape.depth == "f32" and kind != "tiff":
        raise CliError(f"{kind.upper()} cannot hold a float picture.", "Write a .tiff.")
    if shape.alpha and kind == "jpeg":
        raise CliError("JPEG cannot hold transparency.", "Write a .png, .tiff or .webp.")
    if shape.hdr and kind != "png":
        raise CliError(f"{kind.upper()} cannot say that its colours are HDR (PQ or HLG).", "Write a .png.")
    most = _LONGEST_SIDE[kind]
    if max(shape.width, shape.height) > most:
        raise CliError(
            f"{kind.upper()} holds at most {most} pixels a side, but the picture has {shape.width} x {shape.height}.",
            "Write a .png or .tiff.",
        )
    _check_writable(path)
    hints = []
    if shape.depth == "u16" and kind in ("jpeg", "webp"):
        hints.append(f"{kind.upper()} holds 8 bits: the whole picture was rounded from 16.")
    if kind == "jpeg":
        hints.append(
            "JPEG is lossy: pixels outside the layer changed a little. PNG, TIFF and WebP are written without loss."
        )
    return tuple(hints)


def losses(source: PictureFile, path: Path, *, moved: bool) -> tuple[str, ...]:
    """What the user should know of the metadata that the output will not have. ``moved``: its pixels will lie elsewhere
    than the source's.
    """
    return _prepared(source, path, source.width, source.height, moved=moved)[1]


def write_picture(source: PictureFile | NDArray[Any], path: Path, patch: Patch | None = None) -> None:
    """Write a picture with a rectangle of it replaced; an array, (h, w, 1..4), stands for a new sRGB picture.

    The file appears whole or not at all, so that the source may be overwritten.

    Raises:
        CliError: the source is damaged, or the output cannot be written.
    """
    if isinstance(source, PictureFile):
        with reading(source.path):
            image = _in_its_colours(source.stream(), source, path)
        blocks = _prepared(source, path, image.width, image.height, moved=False)[0]
    else:
        image = pyvips.Image.new_from_array(source)
        image = image.copy(interpretation=_interpretation(source))
        blocks = Blocks()
    if patch is not None:
        image = _insert(image, patch)
    _write(image, path, blocks)


def write_alike(source: PictureFile, path: Path, pixels: NDArray[Any]) -> None:
    """Write pixels (h, w, bands) in the source's colours as a picture of their own size, with its profile and EXIF.

    Raises:
        CliError: the source cannot be read any more, or the output cannot be written.
    """
    image = pyvips.Image.new_from_array(np.ascontiguousarray(pixels))
    image = image.copy(interpretation=source.stream().interpretation)
    blocks = _prepared(source, path, image.width, image.height, moved=True)[0]
    _write(_in_its_colours(image, source, path), path, blocks)


def write_layer(source: PictureFile, path: Path, patch: Patch) -> None:
    """Write a layer as a transparent picture of the source's size, profile and depth, to be laid over it.

    Raises:
        CliError: the output cannot be written.
    """
    image = pyvips.Image.black(source.width, source.height, bands=source.bands + 1)
    image = image.cast({"u8": "uchar", "u16": "ushort", "f32": "float"}[source.depth])
    image = _in_its_colours(image.copy(interpretation=source.stream().interpretation), source, path)
    _write(_insert(image, patch), path, for_layer(source.found, EXTENSIONS[path.suffix.lower()]))


def rescue(pixels: NDArray[Any], name: str) -> Path | None:
    """Keep pixels, (h, w, 1..4) and sRGB, whose file could not be written, in a folder for temporary files; None: they
    cannot be kept there either.
    """
    if pixels.dtype == np.float32:
        pixels = np.rint(np.clip(pixels, 0, 1) * 65535).astype(np.uint16)
    try:
        path = Path(tempfile.mkdtemp(prefix="paintbridge-")) / f"{name}.png"
        write_picture(np.ascontiguousarray(pixels), path)
    except (CliError, OSError):
        return None
    return path


def _prepared(
    source: PictureFile, path: Path, width: int, height: int, *, moved: bool
) -> tuple[Blocks, tuple[str, ...]]:
    return prepare(
        source.found,
        EXTENSIONS[path.suffix.lower()],
        width=width,
        height=height,
        moved=moved or source.turned,
        now=datetime.now(),
    )


def _in_its_colours(image: pyvips.Image, source: PictureFile, path: Path) -> pyvips.Image:
    """The image with the profile that the output needs: beside its own chunks a PNG has what the source had."""
    icc = source.embedded if EXTENSIONS[path.suffix.lower()] == "png" and source.kind == "png" else source.icc
    image = image.copy()
    if image.get_typeof("icc-profile-data"):
        image.remove("icc-profile-data")
    if icc is not None:
        image.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    return image


def _write(image: pyvips.Image, path: Path, blocks: Blocks) -> None:
    kind = EXTENSIONS[path.suffix.lower()]
    if image.format == "ushort" and kind in ("jpeg", "webp"):
        # Rounded by the same rule as everywhere else, not by the saver's shift.
        image = (image / 257.0).rint().cast("uchar").copy(interpretation="srgb" if image.bands > 2 else "b-w")
    if blocks.resolution is not None:
        image = image.copy(xres=blocks.resolution[0], yres=blocks.resolution[1])
    try:
        with _partial(path) as partial:
            _save(image, kind, partial)
            shape = {"width": image.width, "height": image.height, "alpha": image.hasalpha()}
            write_blocks(partial, kind, blocks, **shape, now=datetime.now()).replace(path)
    except (pyvips.Error, OSError, UnicodeError) as error:
        raise CliError(
            f"{path.name} could not be written.",
            f"Is the disk full or the folder read-only, or is the source damaged? ({first_line(error)})",
        ) from error


@contextlib.contextmanager
def _partial(path: Path) -> Iterator[Path]:
    """A file beside it, of a short name, for names have a limit. It and what is made of it are gone afterwards."""
    partial = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield partial
    finally:
        for left in (partial, partial.with_name(f"{partial.name}.part")):
            # Where nothing can be written, nothing can be deleted either, whether it is there or not.
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)


def _check_writable(path: Path) -> None:
    """See that a file of that name can be made there, so that nothing is painted in vain.

    Raises:
        CliError
    """
    try:
        # A name that is too long, or that the system has no place for, is told by any question about it.
        with contextlib.suppress(FileNotFoundError):
            path.lstat()
        with _partial(path) as partial:
            partial.touch()
    except (OSError, ValueError) as error:
        raise CliError(
            f"{path.name} cannot be written there ({getattr(error, 'strerror', None) or error}).",
            "Choose another output, or correct the folder's permissions.",
        ) from error


def _insert(image: pyvips.Image, patch: Patch) -> pyvips.Image:
    new = pyvips.Image.new_from_array(np.ascontiguousarray(patch.pixels)).copy(interpretation=image.interpretation)
    return image.insert(new, patch.x, patch.y)


def _save(image: pyvips.Image, kind: str, path: Path) -> None:
    """Pixels and profile; nothing else that the image may have brought along."""
    name = native(path)
    if kind == "png":
        image.pngsave(name, compression=6, keep="icc")
    elif kind == "tiff":
        predictor = "float" if image.format == "float" else "horizontal"
        pixel_bytes = image.bands * _DEPTH_BYTES[{"uchar": "u8", "ushort": "u16", "float": "f32"}[image.format]]
        big = image.width * image.height * pixel_bytes > _TIFF_BYTES
        image.tiffsave(name, compression="deflate", predictor=predictor, bigtiff=big, keep="icc")
    elif kind == "webp":
        image.webpsave(name, lossless=True, exact=True, keep="icc")
    else:
        image.jpegsave(name, Q=95, subsample_mode="off", keep="icc")


def _interpretation(pixels: NDArray[Any]) -> str:
    colour = pixels.shape[2] >= 3
    if pixels.dtype == np.uint16:
        return "rgb16" if colour else "grey16"
    return "srgb" if colour else "b-w"
