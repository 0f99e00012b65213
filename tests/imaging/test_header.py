"""Sizes from headers, and what is refused before anything is unpacked."""

from __future__ import annotations

import io

import numpy as np
import pytest
from encoded_pictures import bomb, encode, photograph
from PIL import Image

from bridge.imaging.header import read_header
from bridge.protocol.errors import BridgeError

MOST = 1 << 28


@pytest.mark.parametrize(
    ("ending", "kind", "options"),
    [
        (".png", "png", {}),
        (".png", "png", {"interlace": True}),
        (".jpg", "jpeg", {}),
        (".jpg", "jpeg", {"interlace": True}),
        (".webp", "webp", {}),
        (".webp", "webp", {"lossless": True}),
        (".gif", "gif", {}),
        (".tif", "tiff", {}),
        (".tif", "tiff", {"bigtiff": True}),
        (".avif", "avif", {}),
    ],
)
def test_sizes(ending, kind, options):
    read = read_header(encode(photograph(123, 45), ending, **options), most_pixels=MOST)
    assert (read.kind, read.width, read.height) == (kind, 123, 45)


def test_an_extended_webp():
    pixels = np.dstack([photograph(123, 45), np.arange(123 * 45, dtype=np.uint32).reshape(45, 123).astype(np.uint8)])
    data = encode(pixels, ".webp", profile="srgb")
    assert data[12:16] == b"VP8X"
    read = read_header(data, most_pixels=MOST)
    assert (read.width, read.height) == (123, 45)


def test_a_bomb_of_a_kilobyte_is_refused_by_its_header():
    assert len(bomb()) < 1100
    with pytest.raises(BridgeError, match="25000 x 20000") as refused:
        read_header(bomb(), most_pixels=MOST)
    assert refused.value.code == "picture_too_large"


def saved(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    """A file of Pillow's."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def test_a_bitmap_either_way_up():
    data = bytearray(saved(photograph(123, 45), "BMP"))
    read = read_header(bytes(data), most_pixels=MOST)
    assert (read.kind, read.width, read.height) == ("bmp", 123, 45)
    data[22:26] = (-45).to_bytes(4, "little", signed=True)
    assert read_header(bytes(data), most_pixels=MOST).height == 45


def test_a_tiff_of_a_motorola():
    directory = (2).to_bytes(2, "big") + b"\1\0\0\3\0\0\0\1\0\x7b\0\0" + b"\1\1\0\4\0\0\0\1\0\0\0\x2d"
    read = read_header(b"MM\0*" + (8).to_bytes(4, "big") + directory, most_pixels=MOST)
    assert (read.width, read.height) == (123, 45)


def test_an_avif_that_lies_on_its_side():
    exif = Image.Exif()
    exif[274] = 6
    read = read_header(saved(photograph(124, 46), "AVIF", exif=exif), most_pixels=MOST)
    assert (read.width, read.height) == (46, 124)


@pytest.mark.parametrize("ending", [".gif", ".tif", ".avif"])
def test_limits_hold_for_every_kind(ending):
    with pytest.raises(BridgeError, match="123 x 45") as refused:
        read_header(encode(photograph(123, 45), ending), most_pixels=123 * 45 - 1)
    assert refused.value.code == "picture_too_large"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + bytes(20),
        b"BM" + bytes(40),
        b"BM" + bytes(12) + (40).to_bytes(4, "little") + bytes(8),
        b"II*\0" + (8).to_bytes(4, "little"),
        b"MM\0*" + (8).to_bytes(4, "big") + bytes(20),
        b"II*\0" + (1 << 31).to_bytes(4, "little"),
        b"\0\0\0\x18ftypavif" + bytes(12),
        encode(photograph(20, 10), ".avif")[:150],
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40),
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0\x00\x00" + bytes(40),
        b"\xff\xd8\xff" + b"\xff" * 100,
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"RIFF\0\0\0\0WEBPABCD" + bytes(40),
        bomb(0, 20),
    ],
)
def test_what_is_no_picture(data):
    with pytest.raises(BridgeError) as refused:
        read_header(data, most_pixels=MOST)
    assert refused.value.code == "picture_unreadable"
    assert "PNG" in refused.value.hint
