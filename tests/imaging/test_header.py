"""Sizes from headers, and what is refused before anything is unpacked."""

from __future__ import annotations

import numpy as np
import pytest
from encoded_pictures import bomb, encode, photograph

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


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GIF89a" + bytes(20),
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
