"""Texts in PNG files, against those that Pillow reads and writes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from encoded_pictures import encode, photograph, pixels_of
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bridge.imaging.png import read_texts, with_texts


def test_what_is_written_is_read_by_others_and_leaves_the_pixels():
    texts = {"parameters": "größer\nSteps: 3", "Comment": "画家 🎨"}
    png = with_texts(encode(photograph(20, 10)), texts.items())
    assert read_texts(png) == texts
    with Image.open(io.BytesIO(png)) as opened:
        opened.load()
        assert opened.text == texts
    assert np.array_equal(pixels_of(png), photograph(20, 10))


@pytest.mark.parametrize("packed", [False, True])
def test_what_others_wrote_is_read(packed):
    info = PngInfo()
    info.add_text("parameters", "größer", zip=packed)
    info.add_itxt("Comment", "画家", "en", "", zip=packed)
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG", pnginfo=info)
    assert read_texts(file.getvalue()) == {"parameters": "größer", "Comment": "画家"}


def test_a_text_that_would_fill_the_memory_and_damage_are_left_out():
    info = PngInfo()
    info.add_text("bomb", "a" * (8 << 20), zip=True)
    info.add_text("parameters", "kept")
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG", pnginfo=info)
    assert len(file.getvalue()) < 20_000
    assert read_texts(file.getvalue()) == {"parameters": "kept"}
    assert read_texts(file.getvalue()[:70]) == {}
    assert read_texts(b"") == {}
