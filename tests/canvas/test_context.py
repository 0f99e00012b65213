import inspect
import math
import random

import pytest

from bridge.canvas.context import MODES, check_context, plan
from bridge.canvas.errors import ContextInvalid, EmptySelection, ModeUnsupported, ValueOutOfRange
from bridge.canvas.geometry import Rect, Size
from bridge.canvas.model_size import model_size

DEFAULTS = {
    "kind": "fill",
    "mode": "fill",
    "choice": "auto",
    "rect": None,
    "grow": None,
    "feather": None,
    "native_pixels": 512 * 512,
}


def planned(canvas, bounds, **changes):
    return plan(canvas, bounds, **{**DEFAULTS, **changes})


def random_cases(count):
    """Canvases from 1 px to 16k, selections from 1 px to all, many of them partly off the canvas, many oblong."""
    rng = random.Random(7)

    def side(most):
        return max(1, round(math.exp(rng.uniform(0, math.log(most)))))

    for _ in range(count):
        canvas = Size(side(16384), side(16384))
        width, height = side(canvas.width), side(canvas.height)
        bounds = Rect(
            rng.randint(-width + 1, canvas.width - 1), rng.randint(-height + 1, canvas.height - 1), width, height
        )
        grow = rng.choice([None, 0.0, 3.5, 40.0])
        feather = rng.choice([None, 0.0, 7.25, 200.0])
        yield canvas, bounds, grow, feather


def test_every_context_lies_on_the_canvas_and_holds_all_that_may_change():
    for canvas, bounds, grow, feather in random_cases(3000):
        for choice in ("auto", "selection", "canvas"):
            result = planned(canvas, bounds, choice=choice, grow=grow, feather=feather)
            assert canvas.rect.contains(result.context)
            assert result.bounds == bounds.cut_to(canvas)
            assert result.context.contains(result.bounds.expanded(result.reach).cut_to(canvas))
            assert result.reach - 1 < result.grow + result.feather <= result.reach
            assert result == planned(canvas, bounds, choice=choice, grow=grow, feather=feather)


def test_there_is_room_on_every_side_or_the_canvas_ends():
    for canvas, bounds, _, _ in random_cases(3000):
        result = planned(canvas, bounds)
        room = max(64, math.ceil(math.sqrt(result.bounds.area) / 2))
        assert result.context.contains(result.bounds.expanded(room).cut_to(canvas))
        # Where one side of the canvas is near, the room that it takes is given on the other side.
        assert result.context.width >= min(canvas.width, result.bounds.width + 2 * room)
        assert result.context.height >= min(canvas.height, result.bounds.height + 2 * room)


def test_contexts_are_no_more_oblong_than_allowed_unless_the_canvas_is():
    for canvas, bounds, _, _ in random_cases(3000):
        context = planned(canvas, bounds, max_aspect=2.0).context
        assert context.width <= 2 * context.height or context.height == canvas.height
        assert context.height <= 2 * context.width or context.width == canvas.width


def test_strength_has_no_say():
    assert "strength" not in inspect.signature(plan).parameters


@pytest.mark.parametrize(
    ("canvas", "bounds", "context"),
    [
        (Size(100, 80), Rect(40, 30, 10, 10), Rect(0, 0, 100, 80)),
        (Size(4096, 4096), Rect(2000, 2000, 1, 1), Rect(1936, 1936, 129, 129)),
        (Size(4096, 4096), Rect(0, 0, 1, 1), Rect(0, 0, 129, 129)),
        (Size(4096, 4096), Rect(4095, 2000, 1, 1), Rect(3967, 1936, 129, 129)),
        (Size(4096, 4096), Rect(548, 498, 3000, 3000), Rect(0, 0, 4096, 4096)),
        (Size(16384, 16384), Rect(8000, 8000, 400, 400), Rect(7800, 7800, 800, 800)),
        # 20:1
        (Size(8000, 8000), Rect(1000, 4000, 2000, 100), Rect(776, 3438, 2448, 1224)),
        (Size(4000, 100), None, Rect(0, 0, 4000, 100)),
    ],
)
def test_contexts_of_note(canvas, bounds, context):
    assert planned(canvas, bounds).context == context


def test_grow_and_feather_by_default_and_as_given():
    result = planned(Size(4096, 4096), Rect(1000, 1000, 300, 400))
    assert (result.grow, result.feather, result.reach) == (4, 25, 29)
    assert planned(Size(4096, 4096), Rect(9, 9, 1, 1)).feather == 4
    assert planned(Size(4096, 4096), Rect(9, 9, 3000, 3000)).feather == 64
    given = planned(Size(4096, 4096), Rect(1000, 1000, 300, 400), grow=0.0, feather=1.5)
    assert (given.grow, given.feather, given.reach) == (0, 1.5, 2)
    assert planned(Size(4096, 4096), Rect(1000, 1000, 300, 400), grow=0.0, feather=0.0).reach == 0


def test_bounds_are_cut_before_they_are_measured():
    cut = planned(Size(1000, 1000), Rect(-900, 100, 1000, 100))
    assert cut.bounds == Rect(0, 100, 100, 100)
    assert cut.feather == pytest.approx(0.05 * math.hypot(100, 100))


def test_a_selection_off_the_canvas_is_empty():
    with pytest.raises(EmptySelection, match="outside the canvas") as caught:
        planned(Size(100, 100), Rect(100, 20, 50, 50))
    assert caught.value.code == "empty_selection"


@pytest.mark.parametrize(
    ("bounds", "mode"),
    [
        (Rect(1600, 0, 400, 1000), "expand"),
        (Rect(0, 0, 400, 1000), "expand"),
        (Rect(0, 0, 2000, 300), "expand"),
        (Rect(-100, 850, 2200, 300), "expand"),
        (Rect(1600, 200, 400, 400), "fill"),
        (Rect(1590, 0, 400, 1000), "fill"),
        (Rect(0, 0, 2000, 900), "fill"),
        (None, "fill"),
    ],
)
def test_auto_tells_outpainting_by_its_shape(bounds, mode):
    assert planned(Size(2000, 1000), bounds, mode="auto").mode == mode


def test_auto_names_the_other_kinds():
    for kind in ("refine", "generate"):
        assert planned(Size(500, 500), None, kind=kind, mode="auto").mode == kind


def test_every_mode_is_planned_and_no_other():
    for kind, modes in MODES.items():
        for mode in modes:
            scale = 2 if kind == "upscale" else 1
            planned(Size(500, 500), Rect(10, 10, 50, 50), kind=kind, mode=mode, scale=scale)
    for kind, mode in (("refine", "remove"), ("generate", "fill"), ("fill", "paint"), ("sharpen", "auto")):
        with pytest.raises(ModeUnsupported):
            planned(Size(500, 500), None, kind=kind, mode=mode)


def test_background_repaints_all_but_the_selection():
    result = planned(Size(2000, 1000), Rect(900, 400, 300, 400), mode="background")
    assert result.context == result.bounds == Rect(0, 0, 2000, 1000)
    # It would grow into what is to be kept.
    assert (result.grow, result.feather) == (0, 4)


def test_generate_looks_at_no_surroundings():
    result = planned(Size(2000, 1000), Rect(900, 400, 300, 200), kind="generate", mode="auto")
    assert (result.context, result.grow, result.feather) == (Rect(900, 400, 300, 200), 0, 0)
    wider = planned(Size(2000, 1000), Rect(900, 400, 300, 200), kind="generate", mode="auto", feather=10.0)
    assert wider.context == Rect(890, 390, 320, 220)


def test_a_given_rectangle_is_taken_as_it_is_or_refused():
    canvas, bounds = Size(2000, 1000), Rect(900, 400, 300, 200)
    rect = Rect(850, 380, 400, 600)
    assert planned(canvas, bounds, choice="rect", rect=rect).context == rect
    for wrong in (None, Rect(850, 380, 400, 700), Rect(950, 380, 400, 600), Rect(-1, 0, 2000, 1000)):
        with pytest.raises(ContextInvalid) as caught:
            planned(canvas, bounds, choice="rect", rect=wrong)
        assert caught.value.code == "bad_context"


def test_numbers_out_of_range_are_refused():
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueOutOfRange):
            planned(Size(500, 500), None, grow=wrong)
        with pytest.raises(ValueOutOfRange):
            planned(Size(500, 500), None, feather=wrong)
    with pytest.raises(ValueOutOfRange, match="context choice"):
        planned(Size(500, 500), None, choice="near")


def test_a_context_that_comes_back_is_held_against_the_canvas():
    check_context(Size(100, 100), Rect(0, 0, 100, 100))
    with pytest.raises(ContextInvalid):
        check_context(Size(100, 100), Rect(1, 0, 100, 100))


def test_model_sizes_keep_the_aspect_and_the_pixel_count():
    rng = random.Random(3)
    for native in (128 * 128, 256 * 256, 512 * 512, 1024 * 1024):
        for multiple in (8, 64):
            for _ in range(300):
                context = Size(rng.randint(129, 4000), rng.randint(129, 4000))
                if max(context.width, context.height) > 2 * min(context.width, context.height):
                    continue
                size = model_size(context, native_pixels=native, multiple=multiple)
                assert size.width % multiple == size.height % multiple == 0
                # One multiple more or less on each side bounds what can be reached.
                step = multiple / math.sqrt(native / 2)
                assert abs(size.area / native - 1) <= 2.5 * step + 0.05
                assert abs(math.log(size.width / size.height * context.height / context.width)) <= 2 * step


def test_model_sizes_of_note():
    assert model_size(Size(800, 800), native_pixels=512 * 512, multiple=8) == Size(512, 512)
    assert model_size(Size(129, 129), native_pixels=512 * 512, multiple=64) == Size(512, 512)
    assert model_size(Size(1600, 800), native_pixels=512 * 512, multiple=8) == Size(720, 360)
    squeezed = model_size(Size(16000, 100), native_pixels=512 * 512, multiple=8)
    assert squeezed.height == 64
    assert squeezed.area <= 512 * 512


@pytest.mark.parametrize("scale", [2, 4])
def test_an_upscale_looks_at_what_is_enlarged_and_little_around_it(scale):
    whole = planned(Size(2001, 101), None, kind="upscale", mode="auto", scale=scale)
    assert whole.context == Rect(0, 0, 2001, 101)
    assert (whole.grow, whole.feather, whole.reach, whole.mode) == (0, 0, 0, "upscale")
    # The enlarged context, in whole latents, however many pixels that are.
    assert whole.model_size == Size(-(-2001 * scale // 8) * 8, -(-101 * scale // 8) * 8)
    part = planned(Size(2000, 1000), Rect(900, 10, 300, 20), kind="upscale", mode="auto", scale=scale)
    assert part.context == Rect(868, 0, 364, 84)
    exact = planned(
        Size(2000, 1000), Rect(900, 10, 300, 20), kind="upscale", mode="auto", choice="selection", scale=scale
    )
    assert exact.context == Rect(900, 10, 300, 20)


@pytest.mark.parametrize(("kind", "scale"), [("upscale", 1), ("upscale", 3), ("upscale", 8), ("fill", 2)])
def test_only_an_upscale_enlarges_and_only_twice_or_four_times(kind, scale):
    with pytest.raises(ValueOutOfRange):
        planned(Size(100, 100), None, kind=kind, mode="auto", scale=scale)
