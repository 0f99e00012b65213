"""Pictures laid out as jobs, and pasted back together."""

from __future__ import annotations

import io

import numpy as np
import pytest
from encoded_pictures import disc, encode, photograph, pixels_of
from PIL import Image

from bridge.imaging.header import read_header
from bridge.imaging.orders import BaseImage, Encoded, Finish, Guide, Painted, Selecting, Stage, Staged
from bridge.imaging.work import finish, guide, stage
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Extent, Rect

WIDTH, HEIGHT = 90, 60
PHOTO = photograph(WIDTH, HEIGHT)


def looked(data: bytes) -> Encoded:
    return read_header(data, most_pixels=1 << 28)


def picture_of(staged: Staged) -> np.ndarray:
    return np.frombuffer(staged.pixels, np.uint8).reshape(staged.picture.height, staged.picture.width, 3)


def coverage_of(staged: Staged) -> np.ndarray:
    return np.frombuffer(staged.coverage, np.uint8).reshape(staged.picture.height, staged.picture.width)


def laid_out(pixels: np.ndarray, mask: np.ndarray | None = None, by: str = "luminance", **how: object) -> Staged:
    size = {name: how.pop(name) for name in ("size", "fit") if name in how}
    selecting = None if mask is None else Selecting(looked(encode(mask)), by, **how)
    return stage(Stage(BaseImage(looked(encode(pixels)), **size), selecting))


def test_a_picture_alone_is_the_canvas():
    staged = laid_out(PHOTO)
    assert staged.canvas == Extent(WIDTH, HEIGHT)
    assert staged.context == Rect(0, 0, WIDTH, HEIGHT)
    assert staged.selection is None
    assert np.array_equal(picture_of(staged), PHOTO)


@pytest.mark.parametrize("kind", ["grey", "16 bit", "transparent", "palette"])
def test_kinds_of_pictures(kind):
    grey = PHOTO[..., :1]
    if kind == "grey":
        assert np.array_equal(picture_of(laid_out(grey)), np.repeat(grey, 3, 2))
    elif kind == "16 bit":
        assert np.array_equal(picture_of(laid_out(PHOTO.astype(np.uint16) * 257)), PHOTO)
    elif kind == "transparent":
        alpha = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
        alpha[:30] = 255
        found = picture_of(laid_out(np.dstack([PHOTO, alpha])))
        assert np.array_equal(found[:30], PHOTO[:30])
        assert (found[30:] == 255).all()
    else:
        data = encode(PHOTO, ".png", palette=True, bitdepth=4)
        found = picture_of(stage(Stage(BaseImage(looked(data)))))
        assert np.array_equal(found, pixels_of(data)[..., :3])


def saved(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """The photograph in a file of Pillow's."""
    file = io.BytesIO()
    Image.fromarray(PHOTO).convert(mode).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "exact"), [("BMP", True), ("TIFF", True), ("GIF", False), ("AVIF", False)])
def test_other_kinds_of_files(kind, exact):
    found = picture_of(stage(Stage(BaseImage(looked(saved(kind))))))
    assert np.abs(found.astype(int) - PHOTO).mean() < (0.01 if exact else 6)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_bitmaps_of_fewer_colours(mode):
    found = picture_of(stage(Stage(BaseImage(looked(saved("BMP", mode))))))
    assert np.array_equal(found, np.asarray(Image.fromarray(PHOTO).convert(mode).convert("RGB")))


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG", "AVIF"])
def test_of_several_frames_the_first_counts_and_it_is_told(kind):
    second = Image.fromarray(255 - PHOTO)
    staged = stage(Stage(BaseImage(looked(saved(kind, save_all=True, append_images=[second])))))
    assert np.abs(picture_of(staged).astype(int) - PHOTO).mean() < 6
    assert "the first was used" in staged.hints[0]
    assert stage(Stage(BaseImage(looked(saved(kind))))).hints == ()


@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF", "AVIF"])
def test_what_is_cut_off_is_told(kind):
    data = saved(kind)
    with pytest.raises(BridgeError) as refused:
        stage(Stage(BaseImage(looked(data[: len(data) // 2]))))
    assert refused.value.code == "picture_unreadable"


def test_numbers_of_other_kinds_are_refused():
    file = io.BytesIO()
    Image.fromarray(PHOTO[..., 0].astype(np.float32)).save(file, "TIFF")
    with pytest.raises(BridgeError, match="8 or 16 bits"):
        stage(Stage(BaseImage(looked(file.getvalue()))))


def test_a_photograph_that_lies_on_its_side_is_put_upright_and_its_mask_follows():
    import pyvips

    image = pyvips.Image.new_from_array(np.ascontiguousarray(np.rot90(PHOTO)))
    image = image.copy(interpretation="srgb")
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)  # to be turned by 90 degrees clockwise
    data = bytes(image.write_to_buffer(".png"))
    mask = disc(WIDTH, HEIGHT, 20, 15, 5)
    staged = stage(Stage(BaseImage(looked(data)), Selecting(looked(encode(mask)), "luminance")))
    assert staged.canvas == Extent(WIDTH, HEIGHT)
    assert np.array_equal(picture_of(staged), PHOTO)
    assert np.array_equal(coverage_of(staged), mask[..., 0])


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_other_sizes(fit):
    middle_of_it = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    middle_of_it[18:42, 33:57] = 255
    staged = laid_out(PHOTO, middle_of_it, size=Extent(120, 120), fit=fit)
    found, coverage = picture_of(staged).astype(int), coverage_of(staged)
    assert staged.canvas == Extent(120, 120)
    ys, xs = np.nonzero(coverage > 127)
    across, down = np.ptp(xs) + 1, np.ptp(ys) + 1
    middle = (xs.mean(), ys.mean())
    assert middle == pytest.approx((59.5, 59.5), abs=0.5)
    scales = {"stretch": (120 / 90, 120 / 60), "crop": (2, 2), "pad": (120 / 90, 120 / 90)}[fit]
    assert across / down == pytest.approx(scales[0] / scales[1], rel=0.05)
    if fit == "pad":
        # Its edges are drawn out.
        assert (found[:20] == found[20]).all()
        assert (found[100:] == found[99]).all()


def test_masks_by_luminance_alpha_and_transparency():
    mask = disc(WIDTH, HEIGHT, 30, 30, 10)
    white = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    for drawn, by, invert in (
        (mask, "luminance", False),
        (255 - mask, "luminance", True),
        (np.repeat(mask, 3, 2), "luminance", False),
        (np.dstack([white, np.full_like(mask, 255)])[..., :3], "luminance", False),
        (np.dstack([white, mask]), "luminance", False),
        (np.dstack([white, 255 - mask]), "transparency", False),
    ):
        staged = laid_out(PHOTO, drawn, by, invert=invert)
        expected = np.full((HEIGHT, WIDTH), 255, np.uint8) if drawn.min() == 255 else mask[..., 0]
        assert np.array_equal(coverage_of(staged), expected)
    half = laid_out(PHOTO, disc(WIDTH // 2, HEIGHT // 2, 15, 15, 5))
    ys, xs = np.nonzero(coverage_of(half) > 127)
    assert (xs.mean(), ys.mean()) == pytest.approx((30.5, 30.5), abs=1)


def test_a_close_up_has_its_room_and_proportions_and_stays_inside():
    mask = np.zeros((600, 900, 1), np.uint8)
    mask[200:240, 300:360] = 255
    photo = photograph(900, 600)
    assert laid_out(photo, mask, close=True, room=0).context == Rect(300, 200, 60, 40)
    assert laid_out(photo, mask, close=True, room=10).context == Rect(290, 190, 80, 60)
    square = laid_out(photo, mask, close=True, room=10, shape=Extent(64, 64))
    assert square.context == Rect(290, 180, 80, 80)
    assert np.array_equal(picture_of(square), photo[180:260, 290:370])
    assert coverage_of(square)[20, 10] == 255
    tall = laid_out(photo, mask, close=True, room=500, shape=Extent(64, 64))
    assert tall.context == Rect(0, 0, 860, 600)


def guiding(pixels: np.ndarray, context: Rect, **how: object) -> np.ndarray:
    guided = guide(Guide(looked(encode(pixels)), Extent(WIDTH, HEIGHT), context, **how))
    picture = guided.picture
    assert (picture.width, picture.height) == (context.width, context.height)
    return np.frombuffer(guided.pixels, np.uint8).reshape(picture.height, picture.width, picture.channels)


def test_a_guide_is_cut_to_the_context_and_flat_colours_do_not_mix():
    context = Rect(30, 10, 40, 20)
    assert np.array_equal(guiding(PHOTO, context), PHOTO[10:30, 30:70])
    labels = np.zeros((HEIGHT // 4, WIDTH // 4, 3), np.uint8)
    labels[:, : WIDTH // 8], labels[:, WIDTH // 8 :] = (6, 230, 230), (9, 7, 230)
    mixed, flat = guiding(labels, context), guiding(labels, context, flat=True)
    assert set(map(tuple, flat.reshape(-1, 3))) == {(6, 230, 230), (9, 7, 230)}
    assert len(set(map(tuple, mixed.reshape(-1, 3)))) > 2
    # Scaled to cover, of the same picture less is seen.
    wide = np.dstack([np.tile(np.arange(WIDTH, dtype=np.uint8), (HEIGHT // 2, 1))] * 3)
    assert np.ptp(guiding(wide, Rect(0, 0, WIDTH, HEIGHT), fit="crop")) < np.ptp(wide) * 0.6


@pytest.mark.parametrize(("bands", "channels"), [(1, 3), (2, 4), (4, 4)])
def test_a_guide_is_rgb_and_keeps_its_transparency(bands, channels):
    drawn = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, bands), np.uint8)
    found = guiding(drawn, Rect(0, 0, WIDTH, HEIGHT))
    assert found.shape[2] == channels
    assert np.array_equal(found[..., -1], drawn[..., -1])
    assert np.array_equal(found[..., 0], drawn[..., 0])


def test_what_cannot_be_laid_out():
    black = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    whole = encode(PHOTO)
    for order, code in (
        (lambda: laid_out(PHOTO, black), "empty_selection"),
        (lambda: laid_out(PHOTO, 255 - black, invert=True), "empty_selection"),
        (lambda: laid_out(PHOTO, black, "transparency"), "empty_selection"),
        (lambda: stage(Stage(BaseImage(looked(whole[:-400])))), "picture_unreadable"),
        (lambda: stage(Stage(BaseImage(Encoded(whole, "png", 10, 10)))), "picture_mismatch"),
        (lambda: stage(Stage(BaseImage(Encoded(whole, "jpeg", WIDTH, HEIGHT)))), "picture_unreadable"),
    ):
        with pytest.raises(BridgeError) as refused:
            order()
        assert refused.value.code == code


def test_a_layer_over_its_ground():
    above = np.zeros((20, 30, 4), np.uint8)
    above[5:15, 5:25] = (200, 10, 30, 255)
    above[9, 9] = (200, 10, 30, 128)
    layer = Painted(40, 10, 30, 20, above.tobytes(), (("parameters", "made"),))
    (file,) = finish(Finish(BaseImage(looked(encode(PHOTO))), (layer,)))
    merged = pixels_of(file)
    expected = PHOTO.copy()
    expected[15:25, 45:65] = (200, 10, 30)
    cover = 128 / 255
    expected[19, 49] = np.rint(np.array((200, 10, 30)) * cover + PHOTO[19, 49] * (1 - cover))
    assert np.array_equal(merged, expected)
    assert b"tEXtparameters\0made" in file
    assert b"eXIf" not in file


@pytest.mark.parametrize(("kind", "starts"), [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8"), ("webp", b"RIFF")])
def test_a_layer_over_nothing_in_each_kind_of_file(kind, starts):
    above = np.dstack([PHOTO, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    layer = Painted(0, 0, WIDTH, HEIGHT, above.tobytes())
    (file,) = finish(Finish(None, (layer,), kind))
    assert file.startswith(starts)
    assert np.abs(pixels_of(file).astype(int) - PHOTO).mean() < (2 if kind == "jpeg" else 0.001)
