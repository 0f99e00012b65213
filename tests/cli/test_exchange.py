"""Colours to the wire and back, and the layer over the picture."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips

from bridge.cli.colour import colour_space
from bridge.cli.exchange import composited, from_wire, layer_patch, to_wire
from bridge.cli.exits import CliError
from bridge.cli.icc import ProfileNotUsable, decode_srgb, encode_srgb, parse_profile
from bridge.cli.pictures import PictureFile, open_picture
from bridge.protocol.messages import Rect

SIZE = 40
ALL = Rect(0, 0, SIZE, SIZE)


def builtin(name: str) -> bytes:
    return pyvips.Image.profile_load(name)


def noise(bands: int, dtype: type, top: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((SIZE, SIZE, bands)) * top).astype(dtype)


def matrix_profile(curve: bytes, *, grey: bool = False) -> bytes:
    """A small display profile with sRGB's primaries and the given tone curve."""

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    tags = {b"kTRC": curve} if grey else {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    if not grey:
        tags |= {
            b"rXYZ": xyz(0.4360747, 0.2225045, 0.0139322),
            b"gXYZ": xyz(0.3850649, 0.7168786, 0.0970942),
            b"bXYZ": xyz(0.1430804, 0.0606169, 0.7139000),
        }
    table, body, offset = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        padded = data + b"\0" * (-len(data) % 4)
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += padded
    header = struct.pack(">I4xI4s4s4s", 0, 0x04200000, b"mntr", b"GRAY" if grey else b"RGB ", b"XYZ ") + b"\0" * 12
    header += b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061) + b"\0" * 48
    return header + struct.pack(">I", len(tags)) + table + body


LINEAR = b"curv\0\0\0\0" + struct.pack(">I", 0)
GAMMA_22 = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563)
TABLE = b"curv\0\0\0\0" + struct.pack(">I33H", 33, *(round((i / 32) ** 1.8 * 65535) for i in range(33)))
SRGB_PARAMETERS = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045]
PARAMETRIC = b"para\0\0\0\0\0\3\0\0" + struct.pack(">5i", *(round(value * 65536) for value in SRGB_PARAMETERS))


def test_the_header_of_the_test_profiles_is_as_long_as_the_specification_says() -> None:
    assert matrix_profile(LINEAR)[36:40] == b"acsp"
    assert matrix_profile(LINEAR)[128:132] == struct.pack(">I", 6)


@pytest.mark.parametrize("curve", [LINEAR, GAMMA_22, TABLE, PARAMETRIC], ids=["linear", "gamma", "table", "para"])
def test_a_curve_goes_both_ways_beyond_the_gamut_too(curve: bytes) -> None:
    space = colour_space(matrix_profile(curve), bands=3, depth="f32")
    colours = np.linspace(-0.2, 1.6, 300, dtype=np.float32).reshape(10, 10, 3)
    assert np.abs(space.from_srgb(space.to_srgb(colours)) - colours).max() < 2e-4


def test_a_linear_profile_is_linear() -> None:
    space = colour_space(matrix_profile(LINEAR), bands=3, depth="f32")
    grey = np.full((1, 1, 3), 0.2140, np.float32)
    assert space.to_srgb(grey)[0, 0] == pytest.approx([0.5] * 3, abs=1e-3)
    assert space.to_srgb(grey * 0 + 4.0).min() > 1.8


def test_srgb_is_recognised_by_its_numbers() -> None:
    assert parse_profile(builtin("srgb")).is_srgb
    assert parse_profile(matrix_profile(PARAMETRIC)).is_srgb
    assert parse_profile(matrix_profile(PARAMETRIC, grey=True)).is_srgb
    assert not parse_profile(builtin("p3")).is_srgb
    assert not parse_profile(matrix_profile(GAMMA_22)).is_srgb
    assert not parse_profile(matrix_profile(GAMMA_22, grey=True)).is_srgb


def test_p3_agrees_with_little_cms() -> None:
    colours = (noise(3, np.float32, 1.0) * 0.5 + 0.25).astype(np.float32)
    sixteen = np.round(colours * 65535).astype(np.uint16)
    image = pyvips.Image.new_from_array(sixteen).copy(interpretation="rgb16")
    theirs = image.icc_transform("srgb", input_profile="p3", depth=16, intent="relative").numpy() / 65535
    ours = colour_space(builtin("p3"), bands=3, depth="u16").to_srgb(sixteen / np.float32(65535))
    inside = (ours > 0.2).all(axis=2) & (ours < 0.98).all(axis=2)
    assert inside.mean() > 0.6
    assert np.abs(ours - theirs)[inside].max() < 0.004


def test_a_wide_gamut_red_leaves_srgb_unclamped_and_comes_back() -> None:
    space = colour_space(builtin("p3"), bands=3, depth="u8")
    red = np.array([[[1, 0, 0]]], np.float32)
    assert space.to_srgb(red)[0, 0, 0] > 1.05
    assert space.to_srgb(red)[0, 0, 1] < -0.05
    assert space.from_srgb(space.to_srgb(red)) == pytest.approx(red, abs=1e-3)


def test_broken_and_foreign_profiles() -> None:
    for data in (b"", b"x" * 200, builtin("cmyk"), builtin("p3")[:140]):
        with pytest.raises(ProfileNotUsable):
            parse_profile(data)
    with pytest.raises(CliError, match="float"):
        colour_space(builtin("cmyk"), bands=3, depth="f32")
    with pytest.raises(CliError, match="contradict"):
        colour_space(builtin("p3"), bands=1, depth="u8")


def test_the_srgb_curve_has_its_known_points() -> None:
    assert decode_srgb(np.float32([0.0, 0.04045, 0.5, 1.0])) == pytest.approx([0, 0.0031308, 0.2140411, 1], abs=1e-6)
    assert encode_srgb(np.float32([-0.2140411, 0.2140411])) == pytest.approx([-0.5, 0.5], abs=1e-6)


@pytest.mark.parametrize(
    ("bands", "dtype", "top", "icc", "depth"),
    [
        (3, np.uint8, 255, None, "u8"),
        (4, np.uint8, 255, "srgb", "u8"),
        (3, np.uint16, 65535, None, "u16"),
        (3, np.uint8, 255, "p3", "f32"),
        (4, np.uint16, 65535, "p3", "f32"),
        (1, np.uint8, 255, None, "u8"),
        (2, np.uint16, 65535, None, "u16"),
        (3, np.float32, 1.5, None, "f32"),
    ],
)
def test_what_travels(
    save: Callable[..., Path], bands: int, dtype: type, top: float, icc: str | None, depth: str
) -> None:
    pixels = noise(bands, dtype, top)
    source = open_picture(save("a.tif", pixels, icc=builtin(icc) if icc else None))
    wire = to_wire(source, Rect(3, 2, 30, 20))
    channels = 4 if bands in (2, 4) else 3
    assert wire.depth == depth
    assert len(wire.data) == 30 * 20 * channels * {"u8": 1, "u16": 2, "f32": 4}[depth]
    back = from_wire(wire.data, width=30, height=20, channels=channels, depth=depth)
    if depth == source.depth and dtype is not np.float32:
        colour = pixels[2:22, 3:33, :3] if bands > 2 else pixels[2:22, 3:33, :1].repeat(3, axis=2)
        assert np.array_equal(back[:, :, :3], colour)
    if channels == 4:
        scale = 1 if depth == source.depth else top
        assert np.allclose(back[:, :, 3] * scale, pixels[2:22, 3:33, -1], atol=1e-3 * scale)


SOURCES = [
    (3, np.uint8, 255, None),
    (3, np.uint16, 65535, None),
    (3, np.float32, 1.5, None),
    (1, np.uint8, 255, None),
    (4, np.uint8, 255, None),
    (2, np.uint16, 65535, None),
    (3, np.uint8, 255, "p3"),
    (3, np.uint16, 65535, "p3"),
]


@pytest.mark.parametrize(("bands", "dtype", "top", "icc"), SOURCES)
def test_a_layer_over_a_picture(
    save: Callable[..., Path], bands: int, dtype: type, top: float, icc: str | None
) -> None:
    source = open_picture(save("a.tif", noise(bands, dtype, top), icc=builtin(icc) if icc else None))
    before = source.read(ALL)
    wire = to_wire(source, ALL)
    colour = np.asarray(wire.pixels[:, :, :3], np.float32) / {"u8": 255, "u16": 65535, "f32": 1}[wire.depth]
    layer = np.dstack([colour, np.zeros((SIZE, SIZE), np.float32)])

    # Alpha 0: bit-identical, whatever colour hides behind it.
    layer[:, :, :3] = 1 - layer[:, :, :3]
    assert np.array_equal(composited(source, 0, 0, layer, "f32").pixels, before)

    # The picture's own pixels at full and at half alpha change nothing but the last bit.
    layer[:, :, :3] = colour
    for alpha in (1.0, 0.5):
        layer[:, :, 3] = alpha
        after = composited(source, 0, 0, layer, "f32").pixels
        tolerance = {np.uint8: 1, np.uint16: 8, np.float32: 2e-5}[dtype]
        assert np.abs(after[:, :, : source.bands].astype(float) - before[:, :, : source.bands]).max() <= tolerance

    # White at full alpha is white.
    layer[:] = 1.0
    white = composited(source, 0, 0, layer, "f32").pixels
    assert np.abs(white.astype(float) - (1.0 if dtype is np.float32 else top)).max() <= (
        1e-3 if dtype is np.float32 else top * 1e-3
    )


def test_blending_is_over_on_encoded_values(save: Callable[..., Path]) -> None:
    source = open_picture(save("a.png", np.full((SIZE, SIZE, 4), (100, 100, 100, 128), np.uint8)))
    layer = np.full((SIZE, SIZE, 4), (200, 0, 50, 128), np.uint8)
    out = composited(source, 0, 0, layer, "u8").pixels[0, 0].astype(int)
    a = 128 / 255
    total = a + a * (1 - a)
    expected = [(c * a + 100 * a * (1 - a)) / total for c in (200, 0, 50)]
    assert out.tolist() == pytest.approx([*expected, total * 255], abs=0.51)


def test_a_grey_picture_takes_the_layers_luminance(save: Callable[..., Path]) -> None:
    source: PictureFile = open_picture(save("a.png", noise(1, np.uint8, 255)))
    layer = np.zeros((SIZE, SIZE, 4), np.float32)
    layer[:, :, 1] = layer[:, :, 3] = 1.0
    green = composited(source, 0, 0, layer, "f32").pixels
    assert np.unique(green).tolist() == [round(float(encode_srgb(np.float32([0.7168786]))[0]) * 255)]


def test_the_layer_alone_is_in_the_pictures_colours(save: Callable[..., Path]) -> None:
    source = open_picture(save("a.png", noise(3, np.uint16, 65535), icc=builtin("p3")))
    layer = np.zeros((SIZE, SIZE, 4), np.float32)
    layer[:20, :, 1:] = 1.0
    layer[20:, :, 0] = 1.0
    patch = layer_patch(source, 0, 0, layer, "f32").pixels
    assert patch.dtype == np.uint16
    assert (patch[20:] == 0).all()
    assert patch[0, 0, 3] == 65535
    # sRGB's cyan lies inside P3: its red is above 0 there.
    assert patch[0, 0, 0] > 20000
