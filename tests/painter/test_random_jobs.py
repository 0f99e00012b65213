"""Random jobs on random selections: what an artist relies on, whatever is drawn.

`PAINTBRIDGE_TEST_JOBS=200` draws as many.
"""

import os
from dataclasses import replace

import numpy as np
import pytest
from job_forms import request_of
from random_holes import random_holes

from bridge.canvas.distance import distance_to
from bridge.canvas.errors import EmptySelection, NothingKnown
from bridge.canvas.geometry import Rect, Size
from bridge.canvas.mask import LEAST_COVERAGE
from bridge.engine import pictures
from bridge.painter import paint
from bridge.protocol.messages import Depth, Encoding, ResultFormat

COUNT = int(os.environ.get("PAINTBRIDGE_TEST_JOBS", "16"))
KINDS = [("fill", mode) for mode in ("fill", "expand", "add", "remove", "background")] + [("refine", "refine")]
FORMATS = [ResultFormat(depth) for depth in Depth]
FORMATS += [
    ResultFormat(Depth.U8, Encoding.PNG),
    ResultFormat(Depth.U16, Encoding.PNG),
    ResultFormat(Depth.U8, Encoding.WEBP),
]


def drawn_job(case, rng, number):
    """A request whose context is the case's crop, somewhere on a larger canvas; and its selection, (h, w)."""
    kind, mode = KINDS[number % len(KINDS)]
    height, width = case.hole.shape
    picture = np.dstack([case.picture, np.ones((height, width), np.float32)])
    if case.valid is not None:
        picture[~case.valid] = 0
    selection = case.hole if (case.hole >= LEAST_COVERAGE).any() else np.ones_like(case.hole)
    canvas, x, y = Size(2000, 1500), int(rng.integers(1, 900)), int(rng.integers(1, 900))
    if mode == "background":
        # All that is not selected is repainted, so the context holds all of the canvas.
        canvas, x, y = Size(width, height), 0, 0
    request = request_of(
        kind=kind,
        mode=mode,
        canvas=canvas,
        context=Rect(x, y, width, height),
        picture=picture,
        selection=selection,
        prompt=str(rng.choice(["", "a lake"])),
        strength=float(rng.choice([0.4, 1.0])),
        steps=int(rng.integers(1, 3)),
        seeds=(int(rng.integers(1 << 62)),),
        grow=float(rng.integers(0, 5)),
        feather=float(rng.choice([0.0, 1.0, 7.0])),
        strict=bool(rng.random() < 0.3),
    )
    return request, selection


def on_context(painted, context):
    """The layer's pixels on the context, (h, w, 4)."""
    whole = np.zeros((context.height, context.width, 4), np.float32)
    whole[painted.rect.translated(-context.x, -context.y).slices] = painted.pixels
    return whole


def test_what_an_artist_relies_on_holds_for_every_job(studio, hooks):
    painted = 0
    for number, case in enumerate(random_holes(COUNT, seed=2701, sides=(40, 130))):
        rng = np.random.default_rng([2702, number])
        request, selection = drawn_job(case, rng, number)
        edges, context = request.settings.edges, request.context
        what = f"{case}, {request.settings.mode}, {edges}, prompt {request.settings.conditioning.prompt!r}"
        model = studio.model(inpaint=bool(number % 2))
        try:
            layer = paint(request, model, hooks).layers[0].layer
        except (NothingKnown, EmptySelection):
            continue
        painted += 1
        assert context.contains(layer.rect), what
        assert np.isfinite(layer.pixels).all(), what
        # Of colours that lie in 0..1 those of the ring differ by 1 at most, and so does what is joined to it.
        assert ((layer.pixels >= -1) & (layer.pixels <= 2)).all(), what
        # Nothing beyond grow and feather changes, nor with `strict` anything that is not selected.
        alpha = on_context(layer, context)[..., 3]
        assert ((alpha >= 0) & (alpha <= 1)).all(), what
        wanted = 1 - selection if request.settings.mode == "background" else selection
        if edges.strict:
            assert (alpha[wanted == 0] == 0).all(), what
        elif (wanted > 0).any():
            assert (alpha[distance_to(wanted > 0) > edges.grow + edges.feather + 1e-3] == 0).all(), what
        # The same seed gives the same pixels, wherever on the canvas it is.
        by = (0, 0) if request.settings.mode == "background" else (53, 117)
        again = paint(replace(request, context=context.translated(*by)), model, hooks).layers[0].layer
        assert again.rect == layer.rect.translated(*by), what
        assert np.array_equal(again.pixels, layer.pixels), what
        # On the wire, in every form: what is untouched stays so, and no value is far from what was painted.
        form = FORMATS[number % len(FORMATS)]
        described, data = pictures.encode(layer.pixels, form)
        back = pictures.decode(described, data)
        held = layer.pixels if form.depth in (Depth.F16, Depth.F32) else layer.pixels.clip(0, 1)
        assert (back[layer.pixels[..., 3] == 0] == 0).all(), what
        assert np.abs(back - held).max() <= 0.5 / 255 + 1e-6, what
    assert painted >= COUNT // 2


@pytest.mark.parametrize("seed", range(3))
def test_another_seed_gives_other_pixels(studio, hooks, seed):
    case = next(random_holes(1, seed=2703 + seed, sides=(60, 100)))
    request, _ = drawn_job(case, np.random.default_rng(seed), 0)
    words = replace(request.settings.conditioning, prompt="a lake")
    sampling = replace(request.settings.sampling, strength=1.0)
    settings = replace(request.settings, conditioning=words, sampling=sampling)
    one, other = (
        paint(replace(request, settings=settings, seeds=(number,)), studio.model(), hooks).layers[0].layer
        for number in (1, 2)
    )
    assert one.rect == other.rect
    assert not np.array_equal(one.pixels, other.pixels)
