"""Upscale: exact size and place, colours of the original, no grid, alpha kept, counted, repeatable, bounded."""

from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from job_forms import made_with, request_of, with_settings

from bridge.canvas.context import plan
from bridge.canvas.errors import EmptySelection, ValueOutOfRange
from bridge.canvas.geometry import Rect, Size
from bridge.canvas.resample import enlarge, resize
from bridge.models import MINI, inspect
from bridge.models.memory import WHOLE
from bridge.painter import Cancelled, OutOfMemory, ResultCache, paint

NATIVE = 256 * 256


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph("lake-sherburne", width=173, height=141)


def asked(canvas, selection=None, scale=2, **options):
    size = Size(canvas.shape[1], canvas.shape[0])
    rows, columns = (slice(None),) * 2 if selection is None else np.nonzero(selection > 0)
    bounds = None
    if selection is not None:
        bounds = Rect(columns.min(), rows.min(), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    planned = plan(
        size, bounds, kind="upscale", mode="auto", choice="auto", rect=None, scale=scale,
        grow=options.get("grow"), feather=options.get("feather"), native_pixels=NATIVE,
    )  # fmt: skip
    cut = planned.context.slices
    picture, part = canvas[cut].copy(), None if selection is None else selection[cut].copy()
    options = {"prompt": "a lake", "strength": 0.3, "steps": 4, **options}
    return request_of(
        kind="upscale", canvas=size, context=planned.context, picture=picture, selection=part, scale=scale, **options
    )


def layer(painting, index=0):
    return painting.layers[index].layer


def model_of(studio, **shape):
    return studio.model(size=256, **shape)


@pytest.mark.parametrize("inpaint", [False, True])
@pytest.mark.parametrize("scale", [2, 4])
def test_the_whole_canvas_comes_back_at_exactly_its_size_and_in_its_colours(studio, canvas, scale, inpaint):
    painting = paint(asked(canvas, scale=scale, steps=2), model_of(studio, inpaint=inpaint), studio.Hooks())
    made = layer(painting)
    assert made.rect == Rect(0, 0, 173 * scale, 141 * scale)
    assert made.pixels.shape == (141 * scale, 173 * scale, 4)
    assert (made.pixels[..., 3] == 1).all()
    settings = made_with(painting.layers[0])
    assert settings["scale"] == scale
    assert (settings["model_width"], settings["model_height"]) == (-(-173 * scale // 8) * 8, -(-141 * scale // 8) * 8)
    # Random weights paint a texture of their own; what is coarser is the original's.
    difference = resize(made.pixels[..., :3], Size(173, 141)) - canvas[..., :3]
    drift = 255 * np.abs(cv2.GaussianBlur(difference, (0, 0), 24, borderType=cv2.BORDER_REFLECT))
    assert drift.max() < 2
    assert drift.mean() < 0.25
    assert 255 * np.abs(made.pixels[..., :3].mean((0, 1)) - canvas[..., :3].mean((0, 1))).max() < 0.5
    assert 255 * np.abs(made.pixels[..., :3] - enlarge(canvas[..., :3], scale)).mean() > 1


def test_a_selection_comes_back_where_it_lies_on_the_enlarged_canvas(studio, canvas):
    selection = np.zeros(canvas.shape[:2], np.float32)
    selection[40:90, 60:101] = 1
    selection[90, 60:101] = 0.5
    made = layer(paint(asked(canvas, selection, steps=1), model_of(studio), studio.Hooks()))
    assert made.rect == Rect(120, 80, 82, 102)
    assert made.reach == 0
    assert (made.pixels[2:-6, 2:-2, 3] == 1).all()
    soft = layer(paint(asked(canvas, selection, steps=1, grow=2.0, feather=6.0), model_of(studio), studio.Hooks()))
    assert soft.reach == 16
    assert Rect(120 - 16, 80 - 16, 82 + 32, 102 + 32).contains(soft.rect)
    assert soft.rect.width > 82


def test_transparency_is_kept(studio, canvas):
    clear = canvas.copy()
    clear[:, :60, 3] = 0
    clear[30:60, 90:130, 3] = 0.5
    for model in (model_of(studio), studio.model()):
        made = layer(paint(asked(clear, scale=4, steps=1), model, studio.Hooks()))
        assert made.rect == Rect(0, 0, 692, 564)
        assert (made.pixels[:, :236] == 0).all()
        assert np.allclose(made.pixels[130:230, 370:510, 3], 0.5)
        assert (made.pixels[300:, 300:, 3] == 1).all()
        assert np.isfinite(made.pixels).all()
    clear[..., 3] = 0
    with pytest.raises(EmptySelection):
        paint(asked(clear), studio.model(), studio.Hooks())


@pytest.mark.parametrize("shape", [{}, {"size": 256, "known_names": ("apple",), "seed": 1}], ids=["small", "names"])
def test_checkpoints_that_know_no_parts_only_enlarge_and_say_so(studio, canvas, shape):
    model = studio.model(**shape)
    hooks = studio.Hooks()
    painting = paint(asked(canvas, seeds=(1, 2)), model, hooks)
    assert "Choose a larger checkpoint" in painting.hints[0]
    assert [entry[0] for entry in hooks.stages if entry[0] != "compose"] == []
    assert made_with(painting.layers[0])["steps"] is None
    assert np.array_equal(layer(painting).pixels, layer(painting, 1).pixels)
    reduced = resize(layer(painting).pixels[..., :3], Size(173, 141))
    assert 255 * np.abs(reduced - canvas[..., :3]).mean() < 0.5


def test_enlarging_is_sharper_than_lanczos_alone(studio):
    photograph = studio.photograph("lake-sherburne", width=512, height=384)[..., :3]
    for scale in (2, 4):
        small, size = resize(photograph, Size(512 // scale, 384 // scale)), Size(512, 384)
        ours, plain = (float(((one - photograph) ** 2).mean()) for one in (enlarge(small, scale), resize(small, size)))
        assert ours < 0.98 * plain


def test_what_is_hardly_denoised_is_neither_blurred_nor_shifted(studio):
    """A trained VAE is needed here: mini's own weights, told that they know parts."""
    components = studio.cache.on_demand(inspect(MINI)).load(lambda: None)
    checkpoint = components.checkpoint
    anything = replace(components, checkpoint=replace(checkpoint, card=replace(checkpoint.card, known_names=())))
    model = SimpleNamespace(checkpoint=anything.checkpoint, load=lambda *_: anything, placement=WHOLE)
    photograph = studio.photograph("lake-sherburne", width=512, height=416)[..., :3]
    source = np.dstack([resize(photograph, Size(256, 208)), np.ones((208, 256), np.float32)])
    made = layer(paint(asked(source, prompt="", strength=0.01), model, studio.Hooks())).pixels[..., :3]
    plain = enlarge(source[..., :3], 2)
    assert 255 * np.abs(resize(made, Size(256, 208)) - source[..., :3]).mean() < 3
    assert sharpness(made) > 0.85 * sharpness(plain)
    assert float(((made - photograph) ** 2).mean()) < 1.3 * float(((plain - photograph) ** 2).mean())


def sharpness(picture):
    return float(np.abs(cv2.Laplacian(picture.mean(axis=2), cv2.CV_32F)).mean())


def test_the_same_seed_repeats_alone_or_in_a_batch_and_kept_or_not(studio, canvas):
    model, results = model_of(studio), ResultCache()
    both = paint(asked(canvas, seeds=(5, 6)), model, studio.Hooks(), results)
    alone = paint(asked(canvas, seeds=(6,)), model, studio.Hooks(), results)
    afresh = paint(asked(canvas, seeds=(6,)), model, studio.Hooks())
    assert np.array_equal(layer(both, 1).pixels, layer(alone).pixels)
    assert np.array_equal(layer(both, 1).pixels, layer(afresh).pixels)
    assert not np.array_equal(layer(both, 0).pixels, layer(both, 1).pixels)


def test_every_tile_is_counted_and_previews_come(studio, canvas):
    hooks = studio.Hooks()
    paint(asked(canvas, scale=4, seeds=(1, 2), steps=10), model_of(studio), hooks)
    stages = {
        name: [entry[1:] for entry in hooks.stages if entry[0] == name] for name in ("encode", "denoise", "decode")
    }
    # 692 x 564 pixels in tiles of 256 that share a quarter: 4 by 3.
    tiles = 12
    assert stages["encode"] == [(step, tiles) for step in range(tiles + 1)]
    assert stages["denoise"] == [(step, 6 * tiles) for step in range(6 * tiles + 1)]
    assert stages["decode"] == [(step, 2 * tiles) for step in range(2 * tiles + 1)]
    assert hooks.previews


@pytest.mark.parametrize("stage", ["encode", "denoise", "decode"])
def test_cancelling_stops_at_the_next_tile(studio, canvas, stage):
    hooks = studio.Hooks(lambda stages: stages[-1:] and stages[-1][:2] == (stage, 1))
    with pytest.raises(Cancelled):
        paint(asked(canvas), model_of(studio), hooks)
    assert hooks.stages[-1][0] == stage


def test_memory_that_runs_out_is_met_by_smaller_tiles_and_then_said(studio, canvas, monkeypatch):
    model = model_of(studio)
    vae = model.load(lambda: None).vae
    real, most = vae.decode, [24 * 24]

    def scarce(latents, *args, **options):
        if latents.shape[-2:].numel() > most[0]:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(latents, *args, **options)

    monkeypatch.setattr(vae, "decode", scarce)
    made = layer(paint(asked(canvas, steps=1), model, studio.Hooks()))
    assert made.rect == Rect(0, 0, 346, 282)
    most[0] = 1
    with pytest.raises(OutOfMemory) as refused:
        paint(asked(canvas, steps=1), model, studio.Hooks())
    assert "Enlarge fewer times" in refused.value.hint


def test_tiles_leave_no_grid(studio):
    """On an even ground the texture that random weights paint is the same everywhere, so that a grid would show."""
    even = np.dstack([np.full((192, 200, 3), 0.5, np.float32), np.ones((192, 200), np.float32)])
    picture = layer(paint(asked(even), model_of(studio), studio.Hooks())).pixels[..., :3]
    luminance = picture @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    across = np.abs(np.diff(luminance, axis=1))[:, 16:-16].mean(axis=0)
    down = np.abs(np.diff(luminance, axis=0))[16:-16].mean(axis=1)
    # Tiles of 256 begin at 0 and 144 across, at 0 and 128 down, and end where others go on.
    for energy, borders in ((across, (144, 256)), (down, (128, 256))):
        smooth = cv2.blur(energy[None], (9, 1))[0]
        for border in borders:
            assert smooth[border - 24 : border + 8].max() < 1.25 * np.median(smooth)


@pytest.mark.parametrize(("kind", "scale"), [("upscale", 1), ("upscale", 3), ("refine", 2)])
def test_other_scales_are_refused(studio, canvas, kind, scale):
    request = with_settings(asked(canvas), kind=kind, scale=scale)
    with pytest.raises(ValueOutOfRange):
        paint(request, model_of(studio), studio.Hooks())
