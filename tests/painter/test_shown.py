"""What a UNet of nine channels sees under the mask: grey, or the infill where the checkpoint's card asks for that."""

import numpy as np
import pytest
from knowing_unet import KnowingModel

from bridge.canvas.geometry import Rect, Size
from bridge.canvas.infill import infill
from bridge.canvas.model_size import ModelFit
from bridge.canvas.resample import resize
from bridge.models import MINI, inspect
from bridge.painter import paint
from bridge.painter.context import encode_context
from bridge.painter.crop import close_crop, placed, placed_previews
from bridge.painter.fill import first_guess
from bridge.painter.oom_guard import OomGuard
from bridge.painter.prepare import prepare
from bridge.painter.result_cache import ResultCache

BOX = Rect(200, 110, 80, 60)


def nothing() -> None:
    pass


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph("canyon-wren")


def seen(studio, canvas, masked_picture, *, mode="auto"):
    """What is seen, and what would be if it were all of the first guess."""
    model = studio.model(inpaint=True, masked_picture=masked_picture)
    prepared = prepare(studio.request(canvas, studio.ellipse(canvas, BOX), mode=mode), model.checkpoint)
    guess = first_guess(prepared, nothing)
    components = model.load(nothing)
    context = encode_context(
        components, prepared, guess, begins_from=False, guard=OomGuard(ResultCache()), check=nothing
    )
    return (
        prepared,
        context.masked_image_latents,
        components.encode(resize(guess[prepared.crop.slices], prepared.model_size)),
    )


def test_grey_hides_the_guess(studio, canvas):
    prepared, masked, whole = seen(studio, canvas, "grey")
    assert prepared.infill_mode == "fill"
    assert (masked - whole).abs().max() > 0.05


@pytest.mark.parametrize(("mode", "guessed"), [("auto", "remove"), ("remove", "remove"), ("add", "refine")])
def test_a_card_that_asks_for_it_is_shown_the_guess_in_detail(studio, canvas, mode, guessed):
    prepared, masked, whole = seen(studio, canvas, "infill", mode=mode)
    assert prepared.infill_mode == guessed
    assert (masked - whole).abs().max() < 1e-5


def test_what_is_left_as_it_was_shown_keeps_every_detail(studio, hooks, canvas):
    mini = studio.cache.on_demand(inspect(MINI))
    request = studio.request(canvas, studio.ellipse(canvas, BOX), prompt="apple", steps=2)
    # Its checkpoint's card is all that a scene hears of a model.
    prepared = prepare(request, KnowingModel(mini, canvas[..., :3], inpaint=True, shown=True).checkpoint)
    guess = infill(prepared.rgb, prepared.masks.denoise, prepared.valid, "remove")
    model = KnowingModel(mini, guess[prepared.crop.slices], inpaint=True, shown=True)
    layer = paint(request, model, hooks).layers[0].layer
    within = layer.rect.translated(-request.context.x, -request.context.y).slices
    round_trip = placed(model.shown(prepared.model_size), prepared.crop, guess)[within]
    opaque = layer.pixels[..., 3] > 0.5
    lost = np.abs(round_trip - guess[within])[opaque].mean()
    assert np.abs(layer.pixels[..., :3] - guess[within])[opaque].mean() < 0.5 * lost


def test_a_thing_is_added_to_the_picture_as_it_is(studio, hooks, canvas):
    """Where the model paints nothing, every detail stays."""
    request = studio.request(canvas, studio.ellipse(canvas, BOX), mode="add", prompt="apple", steps=2)
    mini = studio.cache.on_demand(inspect(MINI))
    prepared = prepare(request, KnowingModel(mini, canvas[..., :3], inpaint=True, shown=True).checkpoint)
    context = canvas[request.context.slices][..., :3]
    model = KnowingModel(mini, np.ascontiguousarray(context[prepared.crop.slices]), inpaint=True, shown=True)
    layer = paint(request, model, hooks).layers[0].layer
    there = canvas[layer.rect.slices][..., :3]
    assert np.abs(layer.pixels[..., :3] - there)[layer.pixels[..., 3] > 0.5].mean() < 0.01


@pytest.mark.parametrize(
    ("box", "view"),
    [
        (Rect(100, 60, 84, 42), Rect(94, 33, 96, 96)),
        (Rect(0, 0, 42, 42), Rect(0, 0, 48, 48)),
        (Rect(20, 30, 280, 140), Rect(0, 0, 320, 200)),
    ],
    ids=["amid", "in the corner", "of nearly all"],
)
def test_the_view_is_a_square_around_what_is_shown_as_far_as_the_context_goes(box, view):
    alpha = np.zeros((200, 320), np.float32)
    alpha[box.slices] = 0.5
    assert close_crop(alpha) == view


def test_a_checkpoint_that_sees_grey_looks_at_the_whole_context(studio, canvas):
    request = studio.request(canvas, studio.ellipse(canvas, BOX))
    prepared = prepare(request, studio.model(inpaint=True).checkpoint)
    assert prepared.crop == request.context.size.rect
    assert prepared.model_size == prepared.plan.model_size


def test_previews_of_a_view_lie_where_it_does(studio, canvas):
    shown = []
    start, view = canvas[..., :3], Rect(120, 80, 96, 96)
    fit = ModelFit(view.size, Size(64, 64), Size(64, 64))
    placed_previews(lambda rgb, step: shown.append((rgb, step)), view, start, fit)(np.zeros((48, 48, 3), np.uint8), 3)
    [(rgb, step)] = shown
    assert (rgb.shape, step) == ((160, 240, 3), 3)
    assert (rgb[40:88, 60:108] == 0).all()
    rgb[40:88, 60:108] = 255
    assert np.abs(rgb / 255 - resize(start, Size(240, 160)))[:40].max() < 0.01


def test_a_fill_previews_the_context(studio, hooks, canvas):
    request = studio.request(canvas, studio.ellipse(canvas, BOX), prompt="apple")
    paint(request, studio.model(inpaint=True, masked_picture="infill"), hooks)
    context = request.context
    assert hooks.previews
    for (height, width, _), _ in hooks.previews:
        assert width / height == pytest.approx(context.width / context.height, abs=0.1)
