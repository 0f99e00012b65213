"""Pictures as scripts hold them, against what Pillow and NumPy say of the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from bridge.client.job import ResultLayer
from bridge.client.job_request import JobRequest
from bridge.client.pictures import read_mask, read_picture
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Picture, Rect
from bridge.protocol.pixels import LEAST_COVERAGE, describe

TYPES = {"u8": np.uint8, "u16": np.uint16, "f16": np.float16, "f32": np.float32}
RANDOM = np.random.default_rng(4)


def noise(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    if np.issubdtype(dtype, np.floating):
        return RANDOM.random(shape).astype(dtype)
    return RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype)


def as_array(plane: Any) -> np.ndarray:
    return np.frombuffer(plane.data, TYPES[plane.depth]).reshape(plane.height, plane.width, plane.channels)


@pytest.mark.parametrize("depth", TYPES)
@pytest.mark.parametrize("channels", [3, 4])
def test_arrays_of_every_type_are_read_as_they_are(depth: str, channels: int) -> None:
    array = noise(7, 9, channels, dtype=TYPES[depth])
    plane = read_picture(array)
    assert plane.depth == depth
    assert np.array_equal(as_array(plane), array)
    assert np.array_equal(as_array(plane.cut(Rect(2, 3, 5, 4))), array[3:7, 2:7])


def test_arrays_may_lie_in_memory_as_they_like() -> None:
    array = noise(8, 6, 4)
    for view in (array[::2, ::-1], array.transpose(1, 0, 2), np.asfortranarray(array), array[..., :3]):
        assert np.array_equal(as_array(read_picture(view)), view)


@pytest.mark.parametrize("depth", TYPES)
def test_grey_becomes_three_equal_channels(depth: str) -> None:
    grey = noise(5, 4, dtype=TYPES[depth])
    assert np.array_equal(as_array(read_picture(grey)), grey[..., None].repeat(3, axis=2))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_pillows_opaque_modes_are_read_as_rgb(mode: str) -> None:
    image = Image.fromarray(noise(6, 5, 3)).convert(mode)
    assert np.array_equal(as_array(read_picture(image)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_pillows_transparency_is_kept(mode: str) -> None:
    image = Image.fromarray(noise(6, 5, 4)).convert(mode)
    if mode == "P":
        image.info["transparency"] = 3
    assert np.array_equal(as_array(read_picture(image)), np.asarray(image.convert("RGBA")))


def test_masks_are_coverage_of_any_type() -> None:
    picture = read_picture(noise(6, 5, 3))
    chosen = RANDOM.random((6, 5)) > 0.5
    wanted = chosen[..., None] * 255
    assert np.array_equal(as_array(read_mask(chosen, picture)), wanted)
    assert np.array_equal(as_array(read_mask(Image.fromarray(chosen), picture)), wanted)
    soft = noise(6, 5, dtype=np.float32)
    assert np.array_equal(as_array(read_mask(soft, picture)), soft[..., None])
    assert np.array_equal(as_array(read_mask(soft[..., None], picture)), soft[..., None])


@pytest.mark.parametrize("depth", TYPES)
def test_a_masks_bounds_are_exact(depth: str) -> None:
    picture = read_picture(noise(20, 30, 3))
    for left, top, right, bottom in ((0, 0, 30, 20), (7, 3, 8, 4), (29, 19, 30, 20), (0, 5, 2, 17)):
        mask = np.zeros((20, 30), TYPES[depth])
        # The two corners alone, as faint as counts; beside them all of what does not count.
        least = LEAST_COVERAGE[depth]
        mask[:] = np.nextafter(mask.dtype.type(least), mask.dtype.type(0)) if mask.dtype.kind == "f" else least - 1
        mask[top, left] = mask[bottom - 1, right - 1] = least
        assert read_mask(mask, picture).bounds() == Rect(left, top, right - left, bottom - top)
    assert read_mask(np.zeros((20, 30), TYPES[depth]), picture).bounds() is None


@pytest.mark.parametrize("depth", TYPES)
def test_a_masks_bounds_hold_all_that_counts(depth: str) -> None:
    picture = read_picture(noise(20, 30, 3))
    for number in range(40):
        mask = noise(20, 30, dtype=TYPES[depth])
        mask[np.random.default_rng(number).random((20, 30)) < 0.995] = 0
        rows, columns = np.nonzero(mask >= LEAST_COVERAGE[depth])
        bounds = read_mask(mask, picture).bounds()
        if not rows.size:
            assert bounds is None
        else:
            assert bounds == Rect(
                columns.min(), rows.min(), columns.max() - columns.min() + 1, rows.max() - rows.min() + 1
            )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_mask_of_zeros_and_ones_is_told_of(dtype: Any) -> None:
    ones = np.eye(20, 30, dtype=dtype)
    with pytest.raises(BridgeError, match="give it as bool") as caught:
        JobRequest.of("fill", noise(20, 30, 3), ones)
    assert caught.value.code == "empty_selection"
    with pytest.raises(BridgeError, match="Nothing is selected"):
        JobRequest.of("fill", noise(20, 30, 3), 0 * ones)
    assert JobRequest.of("fill", noise(20, 30, 3), ones > 0).mask is not None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("photo.png", "A picture is wanted"),
        (b"abc", "An array of"),
        (np.zeros((4, 4, 2), np.uint8), "An array of"),
        (np.zeros((0, 4, 3), np.uint8), "An array of"),
        (np.zeros((4, 4, 3)), "type 'd'"),
        (np.zeros((4, 4, 3), np.int32), "type 'i'"),
        (np.zeros((4, 4, 3), ">u2"), "type '>H'"),
        (Image.new("I;16", (4, 4)), "mode I;16"),
        (Image.new("F", (4, 4)), "mode F"),
    ],
    ids=["text", "bytes", "two channels", "empty", "float64", "int32", "big endian", "I;16", "F"],
)
def test_what_is_no_picture_is_refused_in_words(given: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        read_picture(given)


def test_a_mask_has_one_channel_and_the_pictures_size() -> None:
    picture = read_picture(noise(6, 5, 3))
    with pytest.raises(TypeError, match=r"\(height, width\)"):
        read_mask(noise(6, 5, 3), picture)
    with pytest.raises(BridgeError, match="5 x 7 pixels, the picture 5 x 6"):
        read_mask(noise(7, 5), picture)


@pytest.mark.parametrize("depth", TYPES)
def test_layers_are_arrays(depth: str) -> None:
    array = noise(6, 5, 4, dtype=TYPES[depth])
    height, width, channels = array.shape
    picture = describe(array.tobytes(), width=width, height=height, channels=channels, depth=depth)
    layer = ResultLayer(0, 0, picture, None, memoryview(bytearray(array.tobytes())))  # type: ignore[arg-type]
    read = np.asarray(layer)
    assert read.dtype == array.dtype
    assert np.array_equal(read, array)
    if depth == "u8":
        assert np.array_equal(np.asarray(Image.fromarray(layer)), array)


def test_a_layer_that_is_a_file_is_no_array() -> None:
    picture = Picture("0" * 64, 9, 2, 2, 4, encoding="png")
    layer = ResultLayer(0, 0, picture, None, memoryview(b"not a png"))  # type: ignore[arg-type]
    assert not hasattr(layer, "__array_interface__")
