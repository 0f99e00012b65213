"""Every kind of image: what travels comes back as it was, and what is painted fits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

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
# Kind of image, number of colours, whether it has alpha, whether its profile is wider than sRGB.
KINDS = {
    "RGB": (False, False, False),
    "RGBA": (False, True, False),
    "grey": (True, False, False),
    "grey with alpha": (True, True, False),
    "wide": (False, False, True),
}
CASES = [(precision, "RGBA") for precision in PRECISIONS]
CASES += [(precision, kind) for precision in ("U8_NON_LINEAR", "FLOAT_LINEAR") for kind in KINDS if kind != "RGBA"]
CASES += [("U16_NON_LINEAR", "wide"), ("U8_LINEAR", "wide")]
AREA = (600, 200, 300, 200)


@pytest.fixture(scope="session")
def adobe_like(share) -> str:
    """The primaries and the gamma of Adobe RGB (1998), as a matrix profile."""
    path = share / "wide.icc"
    path.write_bytes(matrix_profile())
    return str(path)


def made(gimp: Any, image: int, precision: str, kind: str, profile: str) -> int:
    grey, _alpha, wide = KINDS[kind]
    gimp.call("convert", image=image, precision=precision, grey=grey, profile=profile if wide else "")
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
def test_what_is_read_and_written_back_is_the_same(gimp, photo, adobe_like, precision, kind):
    image = made(gimp, gimp.call("load", path=photo), precision, kind, adobe_like)
    (background,) = gimp.call("describe", image=image)["layers"]
    x, y, width, height = AREA
    gimp.call("there_and_back", layer=background["id"], x=x, y=y, width=width, height=height)
    back, _ = gimp.call("describe", image=image)["layers"]
    colours = 1 if KINDS[kind][0] else 3
    original = values(gimp, background, precision)[y : y + height, x : x + width, :colours]
    returned = values(gimp, back, precision)
    assert original.std() > 0.05, "a part of the photograph with something in it"
    difference = np.abs(returned[..., :colours] - original)
    if KINDS[kind][2]:
        # babl itself, whatever format it is asked for, rounds a plain gamma in the shadows: 0.002 comes back as 0.0067.
        assert difference[original <= 0.08].max(initial=0) <= 0.005
        difference = difference[original > 0.08]
    assert difference.max() <= tolerance(precision) * 1.0001
    assert (returned[..., -1] == 1).all()
    gimp.call("close", image=image)


@pytest.mark.parametrize(("precision", "kind"), CASES)
def test_a_colour_grows_together_as_itself(gimp, bridge, adobe_like, precision, kind):
    """Of a plain picture the infill can only make the same colour: whatever differs is the way there and back."""
    grey, alpha, _ = KINDS[kind]
    image = gimp.call("blank", width=160, height=120, colour="rgb(0.05,0.9,0.1)", alpha=alpha)
    made(gimp, image, precision, kind, adobe_like)
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


def test_a_colour_that_sRGB_does_not_have_survives(gimp, adobe_like):
    image = gimp.call("blank", width=160, height=120, colour="rgb(0,1,0)", alpha=False)
    # Assigned, not converted to: it is the profile's own purest green now.
    gimp.call("convert", image=image, profile=adobe_like)
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


def matrix_profile() -> bytes:
    """An ICC profile (version 2) of three primaries and one gamma, as babl reads it."""

    def s15(number: float) -> bytes:
        return round(number * 65536).to_bytes(4, "big", signed=True)

    def xyz(*numbers: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(s15, numbers))

    gamma = b"curv\0\0\0\0" + (1).to_bytes(4, "big") + round(563 / 256 * 256).to_bytes(2, "big") + b"\0\0"
    name = b"wide"
    described = b"desc\0\0\0\0" + (len(name) + 1).to_bytes(4, "big") + name + bytes(1 + 4 + 4 + 2 + 1 + 67)
    tags = {
        b"desc": described,
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": xyz(0.9505, 1.0, 1.0891),
        b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
        b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
        b"rTRC": gamma,
        b"gTRC": gamma,
        b"bTRC": gamma,
    }
    offset = 128 + 4 + 12 * len(tags)
    table, body = len(tags).to_bytes(4, "big"), b""
    for key, content in tags.items():
        table += key + (offset + len(body)).to_bytes(4, "big") + len(content).to_bytes(4, "big")
        body += content + bytes(-len(content) % 4)
    whole = 128 + len(table) + len(body)
    illuminant = s15(0.9642) + s15(1.0) + s15(0.8249)
    header = whole.to_bytes(4, "big") + bytes(4) + b"\x02\x40\0\0" + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    header += bytes(128 - len(header) - 12 - 48) + illuminant + bytes(48)
    return header + table + body
