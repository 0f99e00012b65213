"""Picture files: what goes in comes out, but for the rectangle that was replaced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from bridge.cli.exits import CliError
from bridge.cli.pictures import open_picture
from bridge.cli.saving import Patch, Shape, check_output, losses, write_layer, write_picture
from bridge.protocol.messages import Rect

WIDTH, HEIGHT = 61, 47
SCALE = {"u8": 255, "u16": 65535, "f32": 1.0}


def noise(bands: int, depth: str, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).random((HEIGHT, WIDTH, bands)) * SCALE[depth]
    return values.astype({"u8": np.uint8, "u16": np.uint16, "f32": np.float32}[depth])


LOSSLESS = [
    ("a.png", "u8", (1, 2, 3, 4)),
    ("a.png", "u16", (1, 2, 3, 4)),
    ("a.tif", "u8", (1, 2, 3, 4)),
    ("a.tiff", "u16", (1, 2, 3, 4)),
    ("a.tif", "f32", (1, 3, 4)),
    ("a.webp", "u8", (3, 4)),
]


@pytest.mark.parametrize(("name", "depth", "bands"), [(n, d, b) for n, d, all_bands in LOSSLESS for b in all_bands])
def test_a_lossless_file_keeps_every_pixel_outside_the_patch(
    save: Callable[..., Path], load: Callable[..., np.ndarray], name: str, depth: str, bands: int, tmp_path: Path
) -> None:
    pixels = noise(bands, depth)
    source = open_picture(save(name, pixels, **({"lossless": True, "exact": True} if name.endswith("webp") else {})))
    assert (source.width, source.height, source.depth) == (WIDTH, HEIGHT, depth)
    assert (source.bands, source.alpha) == (3 if bands > 2 else 1, bands in (2, 4))
    assert np.array_equal(source.read(Rect(5, 40, 50, 7)), pixels[40:47, 5:55])

    new = noise(bands, depth, seed=1)[:9, :11]
    out = tmp_path / f"out{source.path.suffix}"
    write_picture(source, out, Patch(20, 30, new))
    expected = pixels.copy()
    expected[30:39, 20:31] = new
    written = load(out)
    assert written.dtype == pixels.dtype
    assert np.array_equal(written, expected)


def test_a_picture_may_be_written_over_itself(save: Callable[..., Path], load: Callable[..., np.ndarray]) -> None:
    pixels = noise(3, "u8")
    path = save("a.png", pixels)
    write_picture(open_picture(path), path, Patch(0, 0, pixels[:1, :1] ^ 255))
    assert (load(path) != pixels).any(axis=2).sum() == 1
    assert [child.name for child in path.parent.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.webp"])
def test_the_profile_travels(save: Callable[..., Path], tmp_path: Path, name: str) -> None:
    icc = pyvips.Image.profile_load("p3")
    source = open_picture(save(name, noise(3, "u8"), icc=icc))
    for ending in (".png", ".tif", ".jpg", ".webp"):
        out = tmp_path / f"out{ending}"
        write_picture(source, out)
        assert open_picture(out).icc == icc
        write_layer(source, tmp_path / "layer.png", Patch(3, 4, noise(4, "u8")[:5, :6]))
        assert open_picture(tmp_path / "layer.png").icc == icc


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_exif_is_kept_and_its_orientation_applied(
    save: Callable[..., Path], load: Callable[..., np.ndarray], tmp_path: Path, name: str
) -> None:
    pixels = noise(3, "u8")
    path = save(name, pixels, orientation=6)
    image = pyvips.Image.new_from_file(str(path)).copy()
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Artist", "Somebody")
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    described = tmp_path / f"described{path.suffix}"
    image.write_to_file(str(described))

    source = open_picture(described)
    assert (source.width, source.height) == (HEIGHT, WIDTH)
    stored = load(described)
    assert np.array_equal(source.read(Rect(0, 0, HEIGHT, WIDTH)), np.rot90(stored, -1))
    out = tmp_path / "out.png"
    write_picture(source, out)
    written = pyvips.Image.new_from_file(str(out))
    assert np.array_equal(load(out), np.rot90(stored, -1))
    assert written.get_typeof("orientation") == 0 or written.get("orientation") == 1
    if name != "a.tif":
        assert "Somebody" in written.get("exif-ifd0-Artist")


def test_a_palette_picture_is_not_quantised_again(
    save: Callable[..., Path], load: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    path = save("a.png", noise(3, "u8") // 64 * 64, palette=True)
    before = load(path)
    write_picture(open_picture(path), tmp_path / "out.png", Patch(0, 0, noise(3, "u8", seed=2)[:20, :20]))
    assert np.array_equal(load(tmp_path / "out.png")[20:], before[20:])
    assert np.array_equal(load(tmp_path / "out.png")[:20, :20], noise(3, "u8", seed=2)[:20, :20])


def test_sixteen_bits_are_rounded_for_a_jpeg_and_said_so(
    save: Callable[..., Path], load: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    grey = np.full((32, 32, 3), 32896 + 120, np.uint16)
    source = open_picture(save("a.png", grey))
    assert any("16" in hint for hint in check_output(tmp_path / "out.jpg", Shape(32, 32, "u16")))
    write_picture(source, tmp_path / "out.jpg")
    assert np.unique(load(tmp_path / "out.jpg")).tolist() == [128]


@pytest.mark.parametrize(
    ("name", "depth", "alpha", "message"),
    [
        ("out.gif", "u8", False, "format"),
        ("out", "u8", False, "format"),
        ("missing/out.png", "u8", False, "no folder"),
        ("out.png", "f32", False, "float"),
        ("out.jpg", "f32", False, "float"),
        ("out.jpg", "u8", True, "transparency"),
    ],
)
def test_an_output_that_cannot_hold_the_picture_is_refused(
    tmp_path: Path, name: str, depth: str, alpha: bool, message: str
) -> None:
    with pytest.raises(CliError, match=message):
        check_output(tmp_path / name, Shape(32, 32, depth, alpha))


def test_what_cannot_be_painted_on_is_refused(save: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(CliError, match="no file"):
        open_picture(tmp_path / "nothing.png")
    (tmp_path / "text.png").write_text("This is not a picture.")
    with pytest.raises(CliError, match="cannot be read"):
        open_picture(tmp_path / "text.png")
    cmyk = pyvips.Image.new_from_array(noise(4, "u8")).copy(interpretation="cmyk")
    cmyk.jpegsave(str(tmp_path / "cmyk.jpg"))
    with pytest.raises(CliError, match="CMYK"):
        open_picture(tmp_path / "cmyk.jpg")
    pages = pyvips.Image.new_from_array(noise(3, "u8")).copy(interpretation="srgb")
    joined = pages.join(pages, "vertical").copy()
    joined.set_type(pyvips.GValue.gint_type, "page-height", HEIGHT)
    joined.tiffsave(str(tmp_path / "pages.tif"))
    with pytest.raises(CliError, match="2 pages"):
        open_picture(tmp_path / "pages.tif")


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF"])
@pytest.mark.parametrize("frames", [1, 3])
def test_several_frames_are_refused_and_one_is_not(kind: str, frames: int, tmp_path: Path) -> None:
    first, *others = (Image.fromarray(noise(3, "u8", seed)) for seed in range(frames))
    path = tmp_path / f"a.{kind.lower()}"
    first.save(path, kind, save_all=True, append_images=others)
    if frames == 1:
        assert open_picture(path).width == WIDTH
        return
    with pytest.raises(CliError, match="3 pages or frames") as caught:
        open_picture(path)
    assert "file of its own" in caught.value.hint


def test_a_gain_map_is_not_applied_to_what_is_read(tmp_path: Path) -> None:
    """libvips has a loader of its own for JPEGs with one, and a saver that would write the old one again."""
    picture = pyvips.Image.new_from_array(noise(3, "u8") // 2 + 60).copy(interpretation="srgb")
    path = tmp_path / "a.jpg"
    picture.colourspace("scrgb").linear([2.0] * 3, [0.0] * 3).uhdrsave(str(path), Q=95)
    assert pyvips.Image.new_from_file(str(path)).get("vips-loader") == "uhdrload"
    assert b"21496" in path.read_bytes()
    source = open_picture(path)
    with Image.open(path) as shown:
        assert np.abs(np.asarray(shown, int) - source.read(Rect(0, 0, WIDTH, HEIGHT))).max() <= 2
    write_picture(source, tmp_path / "out.jpg", Patch(5, 5, noise(3, "u8")[:9, :9]))
    written = (tmp_path / "out.jpg").read_bytes()
    assert written.count(b"\xff\xd8\xff") == 1
    assert not any(word in written for word in (b"21496", b"hdrgm", b"GContainer", b"MPF\0"))
    assert any("gain map" in words for words in losses(source, tmp_path / "out.jpg", moved=False))


def test_a_damaged_file_is_refused_and_leaves_nothing_behind(save: Callable[..., Path], tmp_path: Path) -> None:
    path = save("a.png", noise(3, "u16"))
    path.write_bytes(path.read_bytes()[:-4000])
    source = open_picture(path)
    with pytest.raises(CliError, match="cannot be read"):
        source.read(Rect(0, 0, WIDTH, HEIGHT))
    with pytest.raises(CliError, match="could not be written"):
        write_picture(source, tmp_path / "out.png")
    assert [child.name for child in tmp_path.iterdir()] == ["a.png"]
