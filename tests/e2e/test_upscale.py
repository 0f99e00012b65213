"""Upscale, end to end: a canvas goes in over a websocket, a layer of two or four times its size comes out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from job_forms import said
from whole_bridge import PATIENCE, Scene, Watch, layer_pixels

from bridge.client import Bridge, JobCancelled, JobResult, Pixels
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Extent, Progress, Recipe, Rect, ResultFormat, flat_settings

SCENE = Scene.of(150, 110, (40, 30, 61, 40))


def upscaled(bridge: Bridge, *, selected: bool = False, scale: int = 2, **fields: object) -> JobResult:
    return submitted(bridge, selected=selected, scale=scale, **fields).result(PATIENCE)


def submitted(bridge: Bridge, *, selected: bool = False, scale: int = 2, **fields: object):  # type: ignore[no-untyped-def]
    bounds = SCENE.bounds if selected else None
    planned = bridge.plan(canvas=SCENE.canvas, selection=bounds, kind="upscale", scale=scale, timeout=PATIENCE)
    context = planned.context
    rows, columns = slice(context.y, context.y + context.height), slice(context.x, context.x + context.width)
    picture = np.ascontiguousarray(SCENE.photo[rows, columns])
    selection = np.ascontiguousarray(SCENE.selection[rows, columns])
    size = (context.width, context.height)
    values = {"checkpoint": "large", "seed": 7, "steps": 4, **fields}
    return bridge.submit(
        kind="upscale",
        canvas=SCENE.canvas,
        context=context,
        picture=Pixels(picture.data, *size, 4),
        selection=Pixels(selection.data, *size, 1) if selected else None,
        scale=scale,
        **values,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("checkpoint", ["large", "inpaint"])
def test_the_whole_canvas(bridge: Bridge, scale: int, checkpoint: str) -> None:
    result = upscaled(bridge, scale=scale, checkpoint=checkpoint)
    layer, pixels = result.layers[0], layer_pixels(result)
    assert (layer.x, layer.y) == (0, 0)
    assert pixels.shape == (110 * scale, 150 * scale, 4)
    assert (pixels[..., 3] == 255).all()
    assert said(layer.recipe).scale == scale
    assert said(layer.recipe).strength == 0.3
    drift = cv2.resize(pixels, (10, 10), interpolation=cv2.INTER_AREA).astype(float)
    drift -= cv2.resize(SCENE.photo, (10, 10), interpolation=cv2.INTER_AREA)
    # Colours are cut to 0..255 in what random weights paint, which moves means a little.
    assert np.abs(drift).mean() < (4 if checkpoint == "large" else 0.6)
    assert bool(result.hints) is (checkpoint == "inpaint")


def test_a_selection_lies_where_it_lies_on_the_enlarged_canvas(bridge: Bridge) -> None:
    result = upscaled(bridge, selected=True, scale=2)
    layer, bounds = result.layers[0], SCENE.bounds
    assert (layer.x, layer.y) == (2 * bounds.x, 2 * bounds.y)
    assert (layer.picture.width, layer.picture.height) == (2 * bounds.width, 2 * bounds.height)
    assert result.reach == 0


def test_the_recipe_makes_it_again(bridge: Bridge) -> None:
    once = upscaled(bridge, scale=2, prompt="a lake", strength=0.5, steps=3)
    recipe: Recipe = once.layers[0].recipe
    settings = {name: value for name, value in flat_settings(recipe.settings).items() if name != "kind"}
    again = upscaled(bridge, **settings)
    assert np.array_equal(layer_pixels(once), layer_pixels(again))
    assert again.layers[0].recipe == recipe
    assert not np.array_equal(layer_pixels(once), layer_pixels(upscaled(bridge, scale=2, prompt="a lake", seed=8)))


def test_deep_documents_get_deep_layers(bridge: Bridge) -> None:
    layer = upscaled(bridge, result=ResultFormat(depth="u16")).layers[0]
    values = np.frombuffer(layer.data, np.uint16).reshape(220, 300, 4)
    assert len(np.unique(values[..., 0])) > 1000


def test_cancelling_stops_it(bridge: Bridge) -> None:
    watch = Watch()
    job = submitted(bridge, scale=4, steps=400, strength=1.0, on_event=watch)
    watch.wait_for_step(2)
    job.cancel()
    with pytest.raises(JobCancelled):
        job.result(PATIENCE)
    last = next(event for event in reversed(watch.events) if isinstance(event, Progress))
    assert last.step < last.steps


def test_what_would_be_too_large_is_refused_before_anything_is_sent(bridge: Bridge) -> None:
    limit = bridge.welcome.limits.picture_pixels
    canvas = Extent(1 << 14, limit >> 16)
    planned = bridge.plan(canvas=canvas, kind="upscale", scale=2, timeout=PATIENCE)
    assert planned.context == Rect(0, 0, canvas.width, canvas.height)
    with pytest.raises(BridgeError) as refused:
        bridge.plan(canvas=canvas, kind="upscale", scale=4, timeout=PATIENCE)
    assert refused.value.code == "picture_too_large"
    assert "Enlarge fewer times" in refused.value.hint
