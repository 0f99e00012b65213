"""Pictures as artists have them: turned by EXIF, with alpha, of 16 bits, of odd sizes, broken."""

import os
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

from bridge.training.dataset import TrainingImage, bucket, read_folder, training_image
from bridge.training.errors import NoPictures, PictureUnusable

# A red half beside a blue one.
HALVES = np.zeros((64, 96, 3), np.uint8)
HALVES[:, :48] = (200, 20, 20)
HALVES[:, 48:] = (20, 20, 200)


def read(folder: Path, say: Callable[[str], None] = lambda _: None) -> list[TrainingImage]:
    return read_folder(folder, "halves", 64, 8, say=say)


def test_a_picture_keeps_its_shape_and_its_caption(tmp_path):
    Image.fromarray(HALVES).save(tmp_path / "a.png")
    Image.fromarray(HALVES).save(tmp_path / "b.jpg", quality=95)
    (tmp_path / "b.txt").write_text("red beside\nblue\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("x")
    said: list[str] = []
    first, second = read(tmp_path, said.append)
    assert (first.caption, second.caption) == ("halves", "red beside blue")
    assert said == ["left out, for they are no pictures: notes.md"]
    assert first.size == (56, 80)
    assert first.pixels.dtype == np.uint8
    assert np.abs(first.pixels[24, 4].astype(int) - (200, 20, 20)).max() <= 1
    assert np.abs(first.pixels[24, -4].astype(int) - (20, 20, 200)).max() <= 1
    assert (first.coverage == 255).all()


def test_a_caption_is_found_whatever_form_its_name_has(tmp_path):
    names = {form: unicodedata.normalize(form, "Café") for form in ("NFC", "NFD")}
    Image.fromarray(HALVES).save(tmp_path / f"{names['NFD']}.png")
    (tmp_path / f"{names['NFC']}.txt").write_text("red beside blue", encoding="utf-8")
    said: list[str] = []
    [image] = read(tmp_path, said.append)
    assert (image.caption, said) == ("red beside blue", [])


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
def test_a_name_that_is_not_utf8_is_told(tmp_path):
    Image.fromarray(HALVES).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(os.fsdecode(bytes(tmp_path) + b"/Caf\xe9.png"))
    with pytest.raises(PictureUnusable, match="its name is not UTF-8"):
        read(tmp_path)


def test_exif_s_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    # To be turned by a quarter, clockwise: what lies left comes to stand above.
    exif[0x0112] = 6
    Image.fromarray(HALVES).save(tmp_path / "a.jpg", quality=95, exif=exif)
    [image] = read(tmp_path)
    assert image.size == (80, 56)
    assert image.pixels[4, 24, 0] > 180
    assert image.pixels[-4, 24, 2] > 180


def test_16_bits_and_grey_become_8_bits_of_rgb(tmp_path):
    deep = pyvips.Image.new_from_array(HALVES.astype(np.uint16) * 257).copy(interpretation="rgb16")
    deep.write_to_file(str(tmp_path / "a.tif"))
    Image.fromarray(HALVES[..., 0]).save(tmp_path / "b.png")
    colour, grey = read(tmp_path)
    assert np.abs(colour.pixels[24, 4].astype(int) - (200, 20, 20)).max() <= 1
    assert grey.pixels.shape == (56, 80, 3)
    assert np.abs(grey.pixels[24, 4].astype(int) - 200).max() <= 1


def test_what_is_transparent_does_not_count(tmp_path):
    rgba = np.dstack([HALVES, np.where(HALVES[..., 0] > 100, 255, 0).astype(np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    [image] = read(tmp_path)
    assert image.coverage[24, 4] == 255
    assert image.coverage[24, -4] == 0
    # Where nothing is seen stands the mean of what is, and not the colour hidden there.
    assert np.abs(image.pixels[24, -4].astype(int) - (200, 20, 20)).max() <= 2
    rgba[..., 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    with pytest.raises(PictureUnusable, match=r"a\.png .* all of it is transparent"):
        read(tmp_path)


def test_pixels_of_a_layer_are_read_as_a_file_s_are(tmp_path):
    Image.fromarray(HALVES).save(tmp_path / "a.png")
    rgba = np.dstack([HALVES / np.float32(255), np.ones((64, 96), np.float32)])
    from_pixels = training_image("layer", rgba, "halves", 64, 8)
    [from_file] = read(tmp_path)
    assert np.abs(from_pixels.pixels.astype(int) - from_file.pixels).max() <= 1
    assert (from_pixels.coverage == from_file.coverage).all()


def test_a_broken_file_is_named(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (128, 128, 3), np.uint8)).save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(PictureUnusable, match=r"cut\.png can't be trained on: it is damaged"):
        read(tmp_path)
    (tmp_path / "cut.png").write_bytes(b"not a picture")
    with pytest.raises(PictureUnusable, match=r"cut\.png"):
        read(tmp_path)


def test_a_caption_that_is_no_text_is_named(tmp_path):
    Image.fromarray(HALVES).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PictureUnusable, match=r"a\.txt"):
        read(tmp_path)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_pictures_is_told(tmp_path, there):
    with pytest.raises(NoPictures, match="There are no pictures in"):
        read(tmp_path if there else tmp_path / "none")


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        ((512, 512), (512, 512)),
        ((3840, 2160), (680, 384)),
        ((2160, 3840), (384, 680)),
        ((1000, 10), None),
        ((4000, 400), (1024, 256)),
        ((257, 255), (256, 256)),
        ((120, 120), None),
    ],
)
def test_sizes_keep_their_shape_and_about_the_same_pixels(size, wanted):
    if wanted is None:
        with pytest.raises(PictureUnusable, match="too few"):
            bucket("a", *size, 512, 8)
    else:
        assert bucket("a", *size, 512, 8) == wanted
