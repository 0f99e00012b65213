"""A family that paints any size gets the canvas's own pixels, on its own grid; outside the layer nothing differs."""

import random

import cv2
import numpy as np
import pytest
from job_forms import request_of
from toy_family import TOY_OF_ANY_SIZE, build_toy

from bridge.canvas.context import plan
from bridge.canvas.depth import from_float, to_float
from bridge.canvas.geometry import Rect, Size
from bridge.canvas.mask import selection_bounds
from bridge.models import inspect
from bridge.painter import paint

NATIVE = 256 * 256


@pytest.fixture(scope="module")
def toy(studio, tmp_path_factory):
    path = build_toy(tmp_path_factory.mktemp("toy") / "any.safetensors", variant="any size")
    return studio.cache.on_demand(inspect(path))


@pytest.fixture
def seen(toy, monkeypatch):
    """The pictures that the model was given."""
    pictures = []
    kind = type(toy.load(lambda: None))
    real = kind.encode

    def encode(self, rgb):
        pictures.append(rgb)
        return real(self, rgb)

    monkeypatch.setattr(kind, "encode", encode)
    return pictures


def canvas_of(studio, width, height):
    return studio.photograph("lake-sherburne", width=width, height=height)


def asked(canvas, selection, *, kind="fill", choice="auto", rect=None, **options):
    size = Size(canvas.shape[1], canvas.shape[0])
    planned = plan(
        size,
        None if selection is None else selection_bounds(selection),
        kind=kind, mode="auto", choice=choice, rect=rect, grow=options.get("grow"), feather=options.get("feather"),
        native_pixels=NATIVE, multiple=16, native_range=TOY_OF_ANY_SIZE.native_range,
    )  # fmt: skip
    return request_of(
        kind=kind,
        mode=planned.mode,
        canvas=size,
        context=planned.context,
        picture=canvas[planned.context.slices].copy(),
        selection=None if selection is None else selection[planned.context.slices].copy(),
        **{"prompt": "a lake", "steps": 2, **options},
    )


def box(canvas, rect):
    selection = np.zeros(canvas.shape[:2], np.float32)
    selection[rect.slices] = 1
    return selection


def check_untouched(studio, painted, canvas):
    alpha = studio.on_canvas(painted, canvas)[..., 3]
    merged = studio.merged(painted, canvas)
    assert np.isfinite(merged).all()
    assert np.array_equal(merged[alpha == 0], canvas[..., :3][alpha == 0])
    return alpha


@pytest.mark.parametrize(
    ("size", "rect"),
    [
        pytest.param((37, 51), Rect(10, 12, 9, 14), id="smaller than a few latents"),
        pytest.param((37, 51), Rect(0, 0, 37, 20), id="at three edges"),
        pytest.param((333, 251), Rect(324, 243, 9, 8), id="in a corner"),
        pytest.param((333, 251), Rect(0, 0, 333, 251), id="all of an odd canvas"),
        pytest.param((1001, 777), Rect(480, 333, 61, 47), id="in the middle"),
        pytest.param((1001, 777), Rect(0, 700, 90, 77), id="at an edge"),
    ],
)
def test_the_model_gets_the_canvas_as_it_is(studio, toy, seen, size, rect):
    canvas = canvas_of(studio, *size)
    request = asked(canvas, box(canvas, rect), kind="refine", strength=0.5)
    painted = paint(request, toy, studio.Hooks()).layers[0]
    context, model = request.context, painted.settings.model_size
    assert model.width % 16 == model.height % 16 == 0
    [picture] = seen
    assert picture.shape[:2] == model.shape
    assert np.array_equal(picture[: context.height, : context.width], canvas[context.slices][..., :3])
    alpha = check_untouched(studio, painted, canvas)
    assert (alpha[rect.slices] == 1).all()
    assert not np.array_equal(studio.merged(painted, canvas), canvas[..., :3])


def test_a_context_with_room_around_it_is_not_even_padded(studio, toy, seen):
    canvas = canvas_of(studio, 1001, 777)
    request = asked(canvas, box(canvas, Rect(480, 333, 61, 47)), kind="refine", strength=0.5)
    model = paint(request, toy, studio.Hooks()).layers[0].settings.model_size
    assert request.context.size == model
    assert np.array_equal(seen[0], canvas[request.context.slices][..., :3])


@pytest.mark.parametrize("kind", ["fill", "refine", "generate"])
def test_any_rectangle_that_a_host_chooses(studio, toy, kind):
    rng = random.Random(9)
    canvas = canvas_of(studio, 411, 307)
    for _ in range(6):
        width, height = rng.randint(1, 400), rng.randint(1, 300)
        rect = Rect(rng.randint(0, 411 - width), rng.randint(0, 307 - height), width, height)
        selected = Rect(rect.x + rect.width // 3, rect.y + rect.height // 3, -(-rect.width // 3), -(-rect.height // 3))
        selection = box(canvas, selected)
        request = asked(canvas, selection, kind=kind, choice="rect", rect=rect, grow=0.0, feather=0.0)
        assert request.context == rect
        alpha = check_untouched(studio, paint(request, toy, studio.Hooks()).layers[0], canvas)
        assert np.array_equal(alpha > 0, selection > 0)


def test_smaller_contexts_than_the_range_are_enlarged(studio, toy, seen):
    canvas = canvas_of(studio, 21, 17)
    request = asked(canvas, None, kind="refine", strength=0.5)
    painted = paint(request, toy, studio.Hooks()).layers[0]
    assert seen[0].shape == (64, 64, 3)
    assert painted.layer.rect == Rect(0, 0, 21, 17)


def test_larger_ones_are_refined_at_the_canvas_density(studio, toy):
    canvas = canvas_of(studio, 433, 421)
    hooks = studio.Hooks()
    request = asked(canvas, None, kind="refine", strength=0.5)
    painted = paint(request, toy, hooks).layers[0]
    # Barely above the range, where other families would just be enlarged.
    assert painted.settings.model_size.area < 400 * 400
    assert max(steps for name, _, steps in hooks.stages if name == "denoise") > 2
    assert painted.layer.rect == Rect(0, 0, 433, 421)


def test_previews_show_the_context_without_the_padding(studio, toy):
    canvas = canvas_of(studio, 101, 77)
    hooks = studio.Hooks()
    paint(asked(canvas, None, kind="refine", strength=0.5), toy, hooks)
    assert hooks.previews[0][0] == (19, 25, 3)


@pytest.mark.parametrize("depth", ["u8", "u16"])
def test_integers_outside_the_layer_come_back_as_they_were(studio, toy, depth):
    rng = np.random.default_rng(2)
    dtype = {"u8": "u1", "u16": "<u2"}[depth]
    raw = rng.integers(0, np.iinfo(dtype).max, (77, 101, 4), dtype, endpoint=True)
    raw[..., 3] = np.iinfo(dtype).max
    canvas = to_float(raw.tobytes(), 101, 77, 4, depth)
    selection = cv2.GaussianBlur(box(canvas, Rect(90, 20, 11, 40)), (0, 0), 2)
    painted = paint(asked(canvas, selection), toy, studio.Hooks()).layers[0]
    alpha = studio.on_canvas(painted, canvas)[..., 3:]
    merged = np.dstack([studio.merged(painted, canvas), canvas[..., 3]])
    unchanged = (from_float(merged.astype(np.float32), depth) == raw) | (alpha > 0)
    assert unchanged.all()
    assert (alpha == 0).any()
    assert (alpha == 1).any()


def test_the_same_seed_gives_the_same_pixels(studio, toy):
    canvas = canvas_of(studio, 123, 99)
    request = asked(canvas, box(canvas, Rect(40, 30, 50, 40)))
    first, second = (paint(request, toy, studio.Hooks()).layers[0].layer.pixels for _ in range(2))
    assert np.array_equal(first, second)
