"""No step along the selection's outline, nor along the layer's own edge, by figures on photographs.

Random weights paint random colours, so that with them only the outline can be judged: the layer's edge, where those
colours pass into the photograph's, is as steep as they differ. For that there is a UNet that knows the photograph, and
paints it as mini's trained autoencoder shows it.
"""

import itertools

import cv2
import numpy as np
import pytest
from job_forms import made_with
from knowing_unet import KnowingModel

from bridge.canvas.geometry import Rect, Size
from bridge.models import MINI, inspect
from bridge.painter import paint

PHOTOGRAPHS = ("canyon-wren", "lake-sherburne")
SHAPES = ("ellipse", "rectangle", "soft")
BOX = Rect(190, 110, 90, 70)
STRIP = Rect(0, 220, 480, 100)
ALL_MODES = [
    ("fill", "fill"),
    ("fill", "expand"),
    ("fill", "add"),
    ("fill", "remove"),
    ("fill", "background"),
    ("refine", "refine"),
]


def by_turns(*choices):
    """All combinations, each with one of the photographs, so that any two values meet on both."""
    places = itertools.product(*(range(len(values)) for values in choices))
    return [
        (PHOTOGRAPHS[sum(at) % 2], *(values[index] for values, index in zip(choices, at, strict=True))) for at in places
    ]


def selections(studio, canvas, name):
    ellipse = studio.ellipse(canvas, BOX)
    if name == "ellipse":
        return ellipse
    if name == "soft":
        soft = cv2.GaussianBlur(ellipse, (0, 0), 8)
        return np.where(soft < 0.01, 0, soft).astype(np.float32)
    rectangle = np.zeros_like(ellipse)
    rectangle[BOX.slices] = 1
    return rectangle


def luminance_of(picture):
    return picture[..., :3] @ np.array([0.2126, 0.7152, 0.0722], np.float32) * 255


def step_along(luminance, inside):
    """Mean step between neighbours across a line, in levels."""
    crossing = [np.abs(np.diff(luminance, axis=a))[np.diff(inside, axis=a)] for a in (0, 1)]
    return float(np.concatenate(crossing).mean())


def steps_across(picture, inside):
    """Mean step of luminance, in levels: across the outline, and across contours beside it."""
    luminance = luminance_of(picture)
    kinds = inside.astype(np.uint8), (~inside).astype(np.uint8)
    distance = np.subtract(*(cv2.distanceTransform(kind, cv2.DIST_L2, 5) for kind in kinds))
    beside = [step_along(luminance, distance > level) for level in (-6, -5, -4, 4, 5, 6)]
    return step_along(luminance, distance > 0), float(np.mean(beside))


@pytest.mark.parametrize(("name", "shape", "strength", "kind"), by_turns(SHAPES, (0.3, 0.7, 1.0), ("fill", "refine")))
def test_no_step_across_the_outline(studio, hooks, name, shape, strength, kind):
    canvas = studio.photograph(name)
    selection = selections(studio, canvas, shape)
    request = studio.request(canvas, selection, kind=kind, strength=strength, prompt="a lake", steps=2)
    painted = paint(request, studio.model(inpaint=True), hooks).layers[0]
    merged = studio.merged(painted, canvas)
    across, beside = steps_across(merged, selection >= 0.5)
    assert across <= 1.1 * beside
    untouched = studio.on_canvas(painted, canvas)[..., 3] == 0
    assert np.array_equal(merged[untouched], canvas[untouched][:, :3])


def own_step(picture, inside):
    """The picture's own step there: across the line, or across those up to 8 px beside it on average."""
    kinds = inside.astype(np.uint8), (~inside).astype(np.uint8)
    distance = np.subtract(*(cv2.distanceTransform(kind, cv2.DIST_L2, 5) for kind in kinds))
    luminance = luminance_of(picture)
    beside = [step_along(luminance, distance > level) for level in range(-8, 9, 2)]
    return max(step_along(luminance, inside), float(np.mean(beside)))


@pytest.mark.parametrize("name", ["extreme-desert-hike", "lake-sherburne"])
def test_nobody_sees_where_a_photograph_ended_whose_canvas_has_grown(studio, hooks, mini, name):
    photograph = studio.photograph(name, width=320, height=200)
    old = Rect(80, 50, 320, 200)
    canvas = np.zeros((300, 480, 4), np.float32)
    canvas[old.slices] = photograph
    native = mini.checkpoint.card.native_pixels
    request = studio.request(canvas, 1 - canvas[..., 3], mode="expand", native_pixels=native)
    merged = studio.merged(paint(request, mini, hooks).layers[0], canvas)
    across, beside = steps_across(merged, canvas[..., 3] > 0)
    # A tenth of a level, for skies.
    assert across <= 1.1 * beside + 0.1
    # What comes next is more like what is there than what lies farther in.
    for turn in range(4):
        rows = cv2.blur(luminance_of(np.rot90(merged, turn)), (1, 9))
        top, left = (old.y, old.x) if turn % 2 == 0 else (old.x, old.y)
        bands = [rows[top:-top, left + at : left + at + 30].mean(axis=1) for at in (-30, 0, 30)]
        beyond, farther_in = (float(np.abs(band - bands[1]).mean()) for band in (bands[0], bands[2]))
        assert beyond <= 0.9 * farther_in


@pytest.fixture(scope="module")
def mini(studio):
    return studio.cache.on_demand(inspect(MINI))


@pytest.mark.parametrize(("name", "kind_and_mode", "shape", "channels"), by_turns(ALL_MODES, SHAPES, (4, 9)))
def test_nobody_sees_where_the_layer_ends(studio, hooks, mini, name, kind_and_mode, shape, channels):
    (kind, mode), inpaint = kind_and_mode, channels == 9
    canvas = studio.photograph(name)
    selection = selections(studio, canvas, shape)
    if mode == "expand":
        selection = np.zeros_like(selection)
        selection[STRIP.slices] = 1
    wanted = 1 - selection if mode == "background" else selection
    native = mini.checkpoint.card.native_pixels
    options = {"kind": kind, "mode": mode if kind == "fill" else "auto", "prompt": "orange", "native_pixels": native}
    context = studio.request(canvas, selection, **options).context
    model = KnowingModel(mini, np.ascontiguousarray(canvas[context.slices][..., :3]), inpaint=inpaint)
    shown = canvas[..., :3].copy()
    lines = None
    for strength in (0.3, 0.6, 1.0):
        request = studio.request(canvas, selection, strength=strength, steps=2, guidance=1.0, **options)
        painted = paint(request, model, hooks).layers[0]
        merged, alpha = studio.merged(painted, canvas), studio.on_canvas(painted, canvas)[..., 3]
        if lines is None:
            size = Size(made_with(painted)["model_width"], made_with(painted)["model_height"])
            shown[context.slices] = model.shown(size)
            # A seam is a step that neither the photograph has there, nor what the model paints in its place.
            lines = [
                (line, max(own_step(picture, line) for picture in (canvas, shown)))
                for line in (wanted >= 0.5, alpha >= 0.5)
            ]
        for line, own in lines:
            assert step_along(luminance_of(merged), line) <= 1.1 * own, strength
        ring = (wanted == 0) & (alpha > 0)
        if ring.any():
            cast, lost = (
                float(np.abs((picture - canvas[..., :3])[ring].mean(axis=0)).max()) * 255 for picture in (merged, shown)
            )
            # Not more than what the autoencoder itself makes of the ring, where that is more than 2 levels.
            assert cast <= max(2, 1.1 * lost), strength
        assert np.array_equal(merged[alpha == 0], canvas[alpha == 0][:, :3])


def test_twenty_refines_in_a_row_leave_the_colours(studio, hooks, mini):
    """Nothing is asked for: a prompt that has a colour of its own brings it in, as it should."""
    canvas = studio.photograph("lake-sherburne")
    selection = selections(studio, canvas, "ellipse")
    original = canvas.copy()
    for seed in range(20):
        request = studio.request(
            canvas,
            selection,
            kind="refine",
            prompt="",
            strength=0.05,
            steps=20,
            seeds=(seed,),
            native_pixels=mini.checkpoint.card.native_pixels,
        )
        merged = studio.merged(paint(request, mini, hooks).layers[0], canvas)
        # As a host of 8 bits keeps it.
        canvas = np.dstack([np.round(merged * 255) / 255, canvas[..., 3]]).astype(np.float32)
    drift = np.abs((canvas - original)[selection == 1][:, :3].mean(axis=0)) * 255
    assert drift.max() < 2
    assert np.abs(canvas - original)[selection == 1].max() > 0


def test_what_is_selected_in_part_shows_in_part(studio, hooks, mini):
    """Such pixels are no surroundings: to be brought to what was there would undo what is painted."""
    canvas = studio.photograph("extreme-desert-hike")
    selection = np.zeros(canvas.shape[:2], np.float32)
    skirt, core = Rect(160, 40, 160, 120), Rect(210, 75, 60, 50)
    selection[skirt.slices] = 0.4
    selection[core.slices] = 1
    options = {"kind": "fill", "mode": "fill", "prompt": "orange", "native_pixels": mini.checkpoint.card.native_pixels}
    context = studio.request(canvas, selection, **options).context
    darker = canvas[..., :3].copy()
    darker[selection > 0] -= 0.1
    model = KnowingModel(mini, np.ascontiguousarray(darker[context.slices]), inpaint=True)
    painted = paint(studio.request(canvas, selection, steps=2, guidance=1.0, **options), model, hooks).layers[0]
    change = (studio.merged(painted, canvas) - canvas[..., :3]).mean(axis=-1)
    # Away from the edges of both, where the autoencoder blurs what it paints.
    assert -0.06 < change[60:140, 172:198].mean() < -0.02
