"""Every kind of image: what travels comes back as it was, and what is painted fits."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import ImageCms

PRECISIONS = {
    "U8_NON_LINEAR": ("u1", 255),
    "U8_LINEAR": ("u1", 255),
    "U16_NON_LINEAR": ("<u2", 65535),
    "U16_LINEAR": ("<u2", 65535),
    "U32_LINEAR": ("<u4", 2**32 - 1),
    "HALF_NON_LINEAR": ("<f2", 1),
    "HALF_LINEAR": ("<f2", 1),
    "FLOAT_LINEAR": ("<f4", 1),
    "FLOAT_NON_LINEAR": ("<f4", 1),
}
# Kind of image: whether it is grey, whether it has alpha, and the profile that it is given.
KINDS = {
    "RGB": (False, False, ""),
    "RGBA": (False, True, ""),
    "grey": (True, False, ""),
    "grey with alpha": (True, True, ""),
    "wide": (False, False, "wide"),
    "grey of a plain gamma": (True, False, "gamma"),
}
CASES = [(precision, "RGBA") for precision in PRECISIONS]
CASES += [(precision, kind) for precision in ("U8_NON_LINEAR", "FLOAT_LINEAR") for kind in KINDS if kind != "RGBA"]
DEEP = ("U16_NON_LINEAR", "U16_LINEAR", "HALF_NON_LINEAR", "HALF_LINEAR", "FLOAT_NON_LINEAR")
CASES += [
    ("U8_LINEAR", "wide"),
    *((precision, "wide") for precision in DEEP),
    ("U16_NON_LINEAR", "grey of a plain gamma"),
]
AREA = (60, 40, 300, 200)
SIZE = (320, 480)


@pytest.fixture(scope="session")
def profiles(share) -> dict[str, str]:
    """The primaries and the gamma of Adobe RGB (1998); that gamma in grey; and what cameras write for sRGB."""
    contents = {
        "wide": icc_profile(b"RGB ", {b"rXYZ": RED, b"gXYZ": GREEN, b"bXYZ": BLUE}, (b"rTRC", b"gTRC", b"bTRC")),
        "gamma": icc_profile(b"GRAY", {}, (b"kTRC",)),
        "srgb": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
    }
    for name, content in contents.items():
        (share / f"{name}.icc").write_bytes(content)
    return {"": "", **{name: str(share / f"{name}.icc") for name in contents}}


@pytest.fixture(scope="session")
def shades(share) -> str:
    """Colours of 16 bits, of every saturation, and half of them dark: what curves and matrices bend most."""
    path = share / "shades.png"
    colours = np.random.default_rng(6).random((*SIZE, 3))
    colours[:, ::2] *= 0.08
    assert cv2.imwrite(str(path), np.round(colours * 65535).astype(np.uint16))
    return str(path)


def made(gimp: Any, image: int, precision: str, kind: str, profiles: dict[str, str]) -> int:
    grey, _alpha, profile = KINDS[kind]
    gimp.call("convert", image=image, precision=precision, grey=grey, profile=profiles[profile])
    return image


def values(gimp: Any, layer: dict[str, Any], precision: str) -> np.ndarray:
    """A layer's own numbers, of 0 to 1."""
    dtype, full = PRECISIONS[precision]
    _, _, width, height = layer["at"]
    channels = {"rgb-image": 3, "rgba-image": 4, "gray-image": 1, "graya-image": 2}[layer["kind"]]
    return gimp.pixels("dump", (height, width, channels), dtype, layer=layer["id"]).astype(np.float64) / full


def tolerance(precision: str) -> float:
    return 1 / 255 if precision.startswith("U8") else 1e-3


@pytest.mark.parametrize(("precision", "kind"), CASES)
def test_what_is_read_and_written_back_is_the_same(gimp, shades, profiles, precision, kind):
    image = made(gimp, gimp.call("load", path=shades), precision, kind, profiles)
    (background,) = gimp.call("describe", image=image)["layers"]
    x, y, width, height = AREA
    colours = 1 if KINDS[kind][0] else 3
    dtype, full = PRECISIONS[precision]
    seen = gimp.pixels("dump_visible", (*SIZE, colours + 1), dtype, image=image).astype(np.float64) / full
    gimp.call("there_and_back", layer=background["id"], x=x, y=y, width=width, height=height)
    back, _ = gimp.call("describe", image=image)["layers"]
    original = seen[y : y + height, x : x + width, :colours]
    returned = values(gimp, back, precision)
    merging = np.abs(seen[..., :colours] - values(gimp, background, precision)[..., :colours]).max()
    difference = np.abs(returned[..., :colours] - original)
    print(f"{precision}, {kind}: {difference.max():.6f}; GIMP's own merging of visible layers: {merging:.6f}")
    assert difference.max() <= tolerance(precision) * 1.0001
    assert (returned[..., -1] == 1).all()
    gimp.call("close", image=image)


@pytest.mark.parametrize("precision", ["U8_NON_LINEAR", *DEEP])
def test_a_layer_alone_is_read_as_it_is_and_transparent_where_it_ends(gimp, shades, profiles, precision):
    image = made(gimp, gimp.call("load", path=shades), precision, "wide", profiles)
    (background,) = gimp.call("describe", image=image)["layers"]
    height, width = SIZE
    gimp.call("there_and_back", layer=background["id"], x=-20, y=-30, width=width + 50, height=height + 70, alone=True)
    back, _ = gimp.call("describe", image=image)["layers"]
    returned = values(gimp, back, precision)
    inside = (slice(30, 30 + height), slice(20, 20 + width))
    assert (
        np.abs(returned[inside][..., :3] - values(gimp, background, precision)).max() <= tolerance(precision) * 1.0001
    )
    assert (returned[inside][..., 3] == 1).all()
    returned[inside] = 0
    assert not returned.any()
    gimp.call("close", image=image)


def test_a_profile_that_says_sRGB_costs_no_more_than_none(gimp, photo, profiles):
    depths = []
    for profile in ("", "srgb", "wide"):
        image = gimp.call("load", path=photo)
        gimp.call("convert", image=image, profile=profiles[profile])
        (background,) = gimp.call("describe", image=image)["layers"]
        depths.append(gimp.call("there_and_back", layer=background["id"], x=0, y=0, width=8, height=8))
        gimp.call("close", image=image)
    assert depths == ["u8", "u8", "f32"]


@pytest.mark.parametrize(("precision", "kind"), CASES)
def test_a_colour_grows_together_as_itself(gimp, bridge, profiles, precision, kind):
    """Of a plain picture the infill can only make the same colour: whatever differs is the way there and back."""
    grey, alpha, _ = KINDS[kind]
    image = gimp.call("blank", width=160, height=120, colour="rgb(0.05,0.9,0.1)", alpha=alpha)
    made(gimp, image, precision, kind, profiles)
    gimp.call("select", image=image, shape="ellipse", numbers=[60, 40, 30, 30])
    result = gimp.call("run", name="remove", image=image)
    assert result["status"] == "success", result
    top, background = gimp.call("describe", image=image)["layers"]
    assert top["kind"] == ("graya-image" if grey else "rgba-image")
    painted, original = values(gimp, top, precision), values(gimp, background, precision)
    colours = 1 if grey else 3
    seen = painted[..., -1] > 0
    difference = np.abs(painted[seen][:, :colours] - original[0, 0, :colours])
    assert seen.sum() > 700
    assert difference.max() <= tolerance(precision) * 1.0001
    gimp.call("close", image=image)


def test_a_colour_that_sRGB_does_not_have_survives(gimp, profiles):
    image = gimp.call("blank", width=160, height=120, colour="rgb(0,1,0)", alpha=False)
    # Assigned, not converted to: it is the profile's own purest green now.
    gimp.call("convert", image=image, profile=profiles["wide"])
    gimp.call("select", image=image, shape="ellipse", numbers=[60, 40, 30, 30])
    assert gimp.call("run", name="remove", image=image)["status"] == "success"
    top, _ = gimp.call("describe", image=image)["layers"]
    painted = values(gimp, top, "U8_NON_LINEAR")
    assert np.abs(painted[painted[..., 3] > 0][:, :3] - [0, 1, 0]).max() <= 1.0001 / 255
    gimp.call("close", image=image)


def test_an_indexed_image_is_refused_in_words(gimp, photo):
    image = gimp.call("load", path=photo)
    gimp.call("convert", image=image, indexed=True)
    result = gimp.call("run", name="remove", image=image)
    assert result["status"] == "execution-error"
    assert "indexed image" in result["error"]
    assert "Image > Mode > RGB" in result["error"]
    gimp.call("close", image=image)


def test_a_small_layer_with_an_offset_in_a_group_with_a_mask(gimp):
    image = gimp.call("blank", width=300, height=200, colour="blue")
    group = gimp.call("add_group", image=image)
    layer = gimp.call("add_layer", image=image, x=40, y=50, width=120, height=90, colour="red", parent=group)
    mask = gimp.call("add_mask", layer=layer)
    for drawable in (layer, mask):
        gimp.call("select", image=image, shape="rectangle", numbers=[80, 80, 20, 20])
        result = gimp.call("run", name="remove", image=image, on=[drawable], layer_mask=True)
        assert result["status"] == "success", result
    found, background = gimp.call("describe", image=image)["layers"]
    assert background["name"] == "layer"
    first, second, old = found["layers"]
    assert [second["id"]] == result["layers"], "just above the active one"
    assert old["id"] == layer
    for new in (first, second):
        x, y, width, height = new["at"]
        assert new["mask"]
        assert (2 * x + width, 2 * y + height) == (180, 180)
        assert 20 < width == height <= 36, "grown by 4 pixels, and feathered over 4"
    gimp.call("close", image=image)


RED, GREEN, BLUE = (0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)
ILLUMINANT = (0.9642, 1.0, 0.8249)


def icc_profile(space: bytes, primaries: dict[bytes, tuple[float, ...]], curves: tuple[bytes, ...]) -> bytes:
    """An ICC profile (version 2) of primaries, if it has any, and one gamma: 563/256."""

    def numbers(*values: float) -> bytes:
        return b"".join(round(value * 65536).to_bytes(4, "big", signed=True) for value in values)

    name = b"Paintbridge test"
    tags = {
        b"desc": b"desc\0\0\0\0" + (len(name) + 1).to_bytes(4, "big") + name + bytes(1 + 4 + 4 + 2 + 1 + 67),
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": b"XYZ \0\0\0\0" + numbers(*ILLUMINANT),
        **{tag: b"XYZ \0\0\0\0" + numbers(*colour) for tag, colour in primaries.items()},
        **{tag: b"curv\0\0\0\0" + (1).to_bytes(4, "big") + (563).to_bytes(2, "big") + b"\0\0" for tag in curves},
    }
    offset = 128 + 4 + 12 * len(tags)
    table, body = len(tags).to_bytes(4, "big"), b""
    for key, content in tags.items():
        table += key + (offset + len(body)).to_bytes(4, "big") + len(content).to_bytes(4, "big")
        body += content + bytes(-len(content) % 4)
    whole = 128 + len(table) + len(body)
    header = whole.to_bytes(4, "big") + bytes(4) + b"\x02\x40\0\0" + b"mntr" + space + b"XYZ " + bytes(12) + b"acsp"
    return header + bytes(128 - len(header) - 12 - 48) + numbers(*ILLUMINANT) + bytes(48) + table + body
