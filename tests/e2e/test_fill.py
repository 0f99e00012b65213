"""The main job, end to end: a photograph and a selection go in over a websocket, a layer comes out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from job_forms import said
from whole_bridge import PATIENCE, Scene, layer_pixels

from bridge.client import Bridge, Pixels
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import Extent, Rect, ResultFormat, flat_settings


@pytest.mark.parametrize(("width", "height"), [(512, 512), (1920, 1280)])
@pytest.mark.parametrize("strict", [False, True])
def test_nothing_changes_beyond_grow_and_feather(bridge: Bridge, width: int, height: int, strict: bool) -> None:
    scene = Scene.of(width, height, (200, 180, 90, 60))
    result = scene.submit(bridge, prompt="a red flower", strict=strict, grow=3, feather=9).result(PATIENCE)
    changed = (scene.flattened(result) != scene.photo).any(axis=2)
    distance = cv2.distanceTransform((scene.selection == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert changed[scene.selection == 255].mean() > 0.5
    assert not changed[distance > (0 if strict else 12)].any()
    assert result.reach == (0 if strict else 12)


def test_the_layer_lies_where_it_was_painted(bridge: Bridge) -> None:
    scene = Scene.of(640, 480, (400, 260, 120, 100))
    result = scene.submit(bridge, prompt="a rock", feather=8, grow=2).result(PATIENCE)
    layer, bounds = result.layers[0], scene.bounds
    assert bounds.x - 10 <= layer.x < bounds.x
    assert bounds.y - 10 <= layer.y < bounds.y
    alpha = layer_pixels(result)[..., 3]
    opaque = alpha[bounds.y - layer.y :, bounds.x - layer.x :][: bounds.height, : bounds.width]
    core = scene.selection[bounds.y : bounds.y + bounds.height, bounds.x : bounds.x + bounds.width] == 255
    assert (opaque[core] == 255).all()


def test_the_same_seed_gives_the_same_pixels_and_another_one_others(bridge: Bridge) -> None:
    scene = Scene.of(320, 240, (120, 90, 70, 60))
    one, again, other = (
        layer_pixels(scene.submit(bridge, prompt="a lake", seed=seed).result(PATIENCE)) for seed in (5, 5, 6)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_each_picture_of_a_batch_can_be_made_again_from_its_recipe(bridge: Bridge) -> None:
    scene = Scene.of(320, 240, (120, 90, 70, 60))
    batch = scene.submit(bridge, prompt="a tree", seed=2**64 - 2, batch=3).result(PATIENCE)
    assert [said(layer.recipe).seed for layer in batch.layers] == [2**64 - 2, 2**64 - 1, 0]
    for index, layer in enumerate(batch.layers):
        recipe = layer.recipe
        assert not recipe.batched
        alone = scene.submit(
            bridge,
            **{name: value for name, value in flat_settings(recipe.settings).items() if name != "kind"},
        ).result(PATIENCE)
        assert np.array_equal(layer_pixels(alone), layer_pixels(batch, index))
        assert alone.layers[0].recipe == recipe


@pytest.mark.parametrize("checkpoint", ["inpaint", "base"])
@pytest.mark.parametrize("sampler", ["DDIM", "DPM++ 2M"])
@pytest.mark.parametrize("kind", ["fill", "refine", "generate"])
def test_every_kind_on_every_shape_of_checkpoint(bridge: Bridge, checkpoint: str, sampler: str, kind: str) -> None:
    scene = Scene.of(320, 240, (120, 90, 70, 60))
    job = scene.submit(bridge, kind=kind, checkpoint=checkpoint, sampler=sampler, prompt="a bird", strength=1.0)
    assert (layer_pixels(job.result(PATIENCE))[..., 3] > 0).any()


def test_generate_needs_no_picture(bridge: Bridge) -> None:
    canvas = Extent(160, 96)
    planned = bridge.plan(canvas=canvas, kind="generate", timeout=PATIENCE)
    job = bridge.submit(kind="generate", canvas=canvas, context=planned.context, prompt="the sky", seed=1, steps=3)
    pixels = layer_pixels(job.result(PATIENCE))
    assert pixels.shape == (96, 160, 4)
    assert (pixels[..., 3] == 255).all()


@pytest.mark.parametrize("depth", ["u16", "f32"])
def test_deep_documents_get_deep_layers(bridge: Bridge, depth: str) -> None:
    scene = Scene.of(320, 240, (120, 90, 70, 60))
    job = scene.submit(bridge, prompt="a leaf", result=ResultFormat(depth=depth))
    layer = job.result(PATIENCE).layers[0]
    dtype = {"u16": np.uint16, "f32": np.float32}[depth]
    values = np.frombuffer(layer.data, dtype).reshape(layer.picture.height, layer.picture.width, 4)
    assert len(np.unique(values[..., 0])) > 256
    assert values[..., 3].max() == {"u16": 65535, "f32": 1.0}[depth]


def test_refused_with_a_reason_that_can_be_acted_on(bridge: Bridge) -> None:
    scene = Scene.of(320, 240, (120, 90, 70, 60))
    empty = Scene(scene.photo, np.zeros_like(scene.selection))
    context = bridge.plan(canvas=scene.canvas, selection=scene.bounds, timeout=PATIENCE).context
    rows, columns = slice(context.y, context.y + context.height), slice(context.x, context.x + context.width)
    picture = np.ascontiguousarray(empty.photo[rows, columns])
    selection = np.ascontiguousarray(empty.selection[rows, columns])
    job = bridge.submit(
        kind="fill",
        canvas=scene.canvas,
        context=context,
        picture=Pixels(picture.data, context.width, context.height, 4),
        selection=Pixels(selection.data, context.width, context.height, 1),
    )
    with pytest.raises(BridgeError) as refused:
        job.result(PATIENCE)
    assert refused.value.code == "empty_selection"
    with pytest.raises(BridgeError) as refused:
        bridge.plan(canvas=Extent(100, 100), selection=Rect(200, 200, 10, 10), timeout=PATIENCE)
    assert refused.value.code == "empty_selection"
    with pytest.raises(BridgeError) as refused:
        scene.submit(bridge, checkpoint="nobody").result(PATIENCE)
    assert refused.value.code == "checkpoint_unknown"
    assert refused.value.hint
