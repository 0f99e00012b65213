"""Pictures in every depth and encoding, there and back; and what is refused before it is unpacked."""

from __future__ import annotations

import dataclasses
import struct
import zlib

import numpy as np
import pytest

from bridge.engine.pictures import decode, encode
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Picture, ResultFormat
from bridge.protocol.pixels import describe

COMBINATIONS = [
    ("raw", "u8"),
    ("raw", "u16"),
    ("raw", "f16"),
    ("raw", "f32"),
    ("png", "u8"),
    ("png", "u16"),
    ("webp", "u8"),
]


def picture(channels: int, depth: str, seed: int = 0) -> np.ndarray:
    """Values that the depth holds exactly; some of alpha 0 with colour under it."""
    rng = np.random.default_rng(seed)
    if depth.startswith("f"):
        return rng.normal(size=(21, 33, channels)).astype(np.float16).astype(np.float32)
    top = {"u8": 255, "u16": 65535}[depth]
    values = rng.integers(0, top + 1, (21, 33, channels))
    if channels == 4:
        values[::3, :, 3] = 0
    return (values / top).astype(np.float32)


# WebP knows no single channel.
@pytest.mark.parametrize(
    ("encoding", "depth", "channels"),
    [(*pair, channels) for pair in COMBINATIONS for channels in (1, 3, 4) if (pair[0], channels) != ("webp", 1)],
)
def test_there_and_back(encoding: str, depth: str, channels: int) -> None:
    pixels = picture(channels, depth)
    described, data = encode(pixels, ResultFormat(depth, encoding))
    assert (described.width, described.height, described.channels) == (33, 21, channels)
    assert (described.depth, described.encoding) == (depth, encoding)
    assert described == describe(data, width=33, height=21, channels=channels, depth=depth, encoding=encoding)
    back = decode(described, bytes(data))
    assert np.array_equal(back, pixels), "lossless, colour under alpha 0 included"


def test_an_opaque_webp_is_still_rgba() -> None:
    pixels = picture(4, "u8")
    pixels[..., 3] = 1
    described, data = encode(pixels, ResultFormat("u8", "webp"))
    assert np.array_equal(decode(described, data), pixels)


@pytest.mark.parametrize(("encoding", "depth"), [("png", "f16"), ("png", "f32"), ("webp", "u16"), ("webp", "f32")])
def test_what_an_encoding_cannot_carry(encoding: str, depth: str) -> None:
    with pytest.raises(BridgeError, match="out_of_range") as caught:
        encode(picture(4, "f32"), ResultFormat(depth, encoding))
    assert encoding in caught.value.message
    assert depth in caught.value.message


@pytest.mark.parametrize("encoding", ["png", "webp"])
@pytest.mark.parametrize("change", [{"width": 32}, {"height": 22}, {"channels": 3}])
def test_a_header_that_says_otherwise(encoding: str, change: dict[str, int]) -> None:
    described, data = encode(picture(4, "u8"), ResultFormat("u8", encoding))
    with pytest.raises(BridgeError, match="picture_mismatch") as caught:
        decode(dataclasses.replace(described, **change), data)
    assert "33 x 21" in caught.value.message


def test_another_depth_than_described() -> None:
    described, data = encode(picture(3, "u16"), ResultFormat("u16", "png"))
    with pytest.raises(BridgeError, match="picture_mismatch"):
        decode(dataclasses.replace(described, depth="u8"), data)


def test_a_huge_png_is_refused_by_its_header() -> None:
    """30,000 x 30,000 in a few bytes: 3.6 GB if anybody unpacked it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 6, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(BridgeError, match="picture_mismatch"):
        decode(described_as(data, "png"), data)


@pytest.mark.parametrize("encoding", ["png", "webp"])
def test_what_is_cut_off(encoding: str) -> None:
    described, data = encode(picture(4, "u8"), ResultFormat("u8", encoding))
    for length in (0, 5, len(data) // 2, len(data) - 30):
        with pytest.raises(BridgeError, match="picture_unreadable"):
            decode(described, bytes(data[:length]))


@pytest.mark.parametrize("encoding", ["png", "webp"])
@pytest.mark.parametrize("data", [b"nonsense", b'<svg xmlns="http://www.w3.org/2000/svg" width="33" height="21"/>'])
def test_what_is_something_else(encoding: str, data: bytes) -> None:
    with pytest.raises(BridgeError, match="picture_unreadable"):
        decode(described_as(data, encoding), data)


def described_as(data: bytes, encoding: str) -> Picture:
    return describe(data, width=33, height=21, channels=4, encoding=encoding)
