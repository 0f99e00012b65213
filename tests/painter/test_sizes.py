"""Selections from one pixel to most of a large canvas, odd canvases, and a sheet of all photographs to be looked at."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from job_forms import request_of

from bridge.canvas.context import plan
from bridge.canvas.errors import EmptySelection
from bridge.canvas.geometry import Rect, Size
from bridge.models import MINI, inspect
from bridge.painter import paint

SHEET = Path(__file__).parents[2] / "test-output" / "contact-sheet.png"
PHOTOS = sorted(path.stem for path in (Path(__file__).parents[1] / "photos").glob("*.jpg"))
LARGE = Size(4096, 4096)


@pytest.fixture(scope="module")
def texture(studio):
    return studio.photograph("lake-sherburne")


def context_of(canvas, box):
    options = {"kind": "fill", "mode": "fill", "choice": "auto", "rect": None, "grow": None, "feather": None}
    return plan(canvas, box, native_pixels=64 * 64, **options).context


def request_for(canvas, box, texture, **options):
    """A fill of `box` on a canvas of repeated photographs, of which no more than the context is ever made."""
    context = context_of(canvas, box)
    rows = np.arange(context.y, context.bottom) % texture.shape[0]
    columns = np.arange(context.x, context.right) % texture.shape[1]
    selection = np.zeros(context.size.shape, np.float32)
    selection[(box.cut_to(canvas) or box).translated(-context.x, -context.y).slices] = 1
    return request_of(
        kind="fill",
        mode="fill",
        canvas=canvas,
        context=context,
        picture=texture[np.ix_(rows, columns)],
        selection=selection,
        prompt="a lake",
        steps=1,
        **options,
    )


@pytest.mark.parametrize(
    ("canvas", "box", "inpaint"),
    [
        pytest.param(LARGE, Rect(2000, 100, 1, 1), False, id="1 px, four channels"),
        pytest.param(LARGE, Rect(2000, 100, 1, 1), True, id="1 px, nine channels"),
        pytest.param(LARGE, Rect(0, 4079, 17, 17), False, id="17 px in a corner"),
        pytest.param(LARGE, Rect(1800, 1900, 300, 300), True, id="300 px"),
        pytest.param(LARGE, Rect(500, 600, 3000, 3000), True, id="3000 px"),
        pytest.param(LARGE, Rect(100, 2000, 2000, 100), False, id="20:1"),
        pytest.param(Size(16384, 16384), Rect(16000, 16100, 400, 400), True, id="partly off a canvas of 16k"),
        pytest.param(Size(100, 80), Rect(30, 20, 40, 30), False, id="on a small canvas"),
        pytest.param(Size(2000, 100), Rect(0, 0, 2000, 100), True, id="all of an oblong canvas"),
    ],
)
def test_the_selection_is_covered_and_nothing_beyond_reach(studio, hooks, texture, canvas, box, inpaint):
    request = request_for(canvas, box, texture)
    layer = paint(request, studio.model(inpaint=inpaint), hooks).layers[0].layer
    wanted = box.cut_to(canvas)
    inside = wanted.translated(-layer.rect.x, -layer.rect.y)
    assert np.all(layer.pixels[inside.slices][..., 3] == 1)
    assert wanted.expanded(layer.reach).contains(layer.rect)
    assert canvas.rect.contains(layer.rect)
    assert np.isfinite(layer.pixels).all()


def test_off_the_canvas_there_is_nothing_to_select():
    with pytest.raises(EmptySelection, match="outside the canvas"):
        context_of(LARGE, Rect(5000, 10, 50, 50))


def test_a_transparent_canvas(studio, hooks, texture):
    clear = np.zeros_like(texture)
    selection = studio.ellipse(clear, Rect(180, 120, 90, 70))
    model = studio.model()
    with pytest.raises(EmptySelection, match="transparent"):
        paint(studio.request(clear, selection, prompt="a lake", mode="fill"), model, hooks)
    layer = paint(studio.request(clear, selection, prompt="a lake", mode="expand"), model, hooks).layers[0].layer
    assert np.all(layer.pixels[..., 3][layer.pixels.shape[0] // 2, 10:-10] == 1)


def test_a_sheet_of_all_photographs(studio, hooks):
    mini = studio.cache.on_demand(inspect(MINI))
    native = mini.checkpoint.card.native_pixels
    rows = []
    for name in PHOTOS:
        canvas = studio.photograph(name)
        ellipse = studio.ellipse(canvas, Rect(190, 130, 100, 80))
        strip = np.zeros_like(ellipse)
        strip[:, 400:] = 1
        row = [canvas[..., :3] * (1 - 0.4 * ellipse[..., None])]
        for selection, options in (
            (ellipse, {"mode": "remove"}),
            (ellipse, {"prompt": "red balloon", "steps": 6}),
            (ellipse, {"kind": "refine", "prompt": "", "strength": 0.3, "steps": 6}),
            (strip, {"mode": "expand"}),
        ):
            request = studio.request(canvas, selection, native_pixels=native, **options)
            painted = paint(request, mini, hooks).layers[0]
            merged = studio.merged(painted, canvas)
            untouched = studio.on_canvas(painted, canvas)[..., 3] == 0
            assert np.array_equal(merged[untouched], canvas[untouched][:, :3])
            row.append(merged)
        rows.append(np.hstack(row))
    SHEET.parent.mkdir(exist_ok=True)
    sheet = np.clip(np.vstack(rows), 0, 1)[..., ::-1] * 255 + 0.5
    assert cv2.imwrite(
        str(SHEET), cv2.resize(sheet, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA).astype(np.uint8)
    )
