"""Families of transformers, end to end: what they paint lies within the layer, at every depth, and comes back again."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from job_forms import said
from whole_bridge import PATIENCE, Scene, Watch, layer_pixels

from bridge.client import Bridge, JobCancelled, Pixels
from bridge.protocol.errors import BridgeError
from bridge.protocol.messages import ResultFormat, flat_settings

SCENE = Scene.of(171, 133, (60, 40, 50, 40))
families = pytest.mark.parametrize("checkpoint", ["klein", "zimage", "schnell"])
STEPS = {"klein": 4, "zimage": 9, "schnell": 4}
GUIDES = {"klein": "off", "zimage": "zimage_union", "schnell": "off"}


@families
def test_nothing_changes_beyond_grow_and_feather(bridge: Bridge, checkpoint: str) -> None:
    result = SCENE.submit(bridge, checkpoint=checkpoint, prompt="a lake", steps=2, grow=3, feather=6).result(PATIENCE)
    changed = (SCENE.flattened(result) != SCENE.photo).any(axis=2)
    outside = (SCENE.selection == 0).astype(np.uint8)
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert changed[SCENE.selection == 255].mean() > 0.5
    assert not changed[distance > 9].any()


@families
def test_documents_of_16_bits_stay_so(bridge: Bridge, checkpoint: str) -> None:
    planned = bridge.plan(canvas=SCENE.canvas, selection=SCENE.bounds, checkpoint=checkpoint, timeout=PATIENCE)
    x, y, width, height = (getattr(planned.context, name) for name in ("x", "y", "width", "height"))
    deep = SCENE.photo[y : y + height, x : x + width].astype(np.uint16) * 257
    deep[..., :3] -= deep[..., :3] // 300
    job = bridge.submit(
        kind="fill",
        canvas=SCENE.canvas,
        context=planned.context,
        picture=Pixels(np.ascontiguousarray(deep).data, width, height, 4, "u16"),
        selection=Pixels(np.ascontiguousarray(SCENE.selection[y : y + height, x : x + width]).data, width, height, 1),
        checkpoint=checkpoint,
        prompt="a lake",
        steps=1,
        result=ResultFormat(depth="u16"),
    )
    layer = job.result(PATIENCE).layers[0]
    values = np.frombuffer(layer.data, np.uint16).reshape(layer.picture.height, layer.picture.width, 4)
    assert len(np.unique(values[..., 0])) > 256
    assert values[..., 3].max() == 65535
    assert (values[values[..., 3] == 0] == 0).all()


@families
def test_each_picture_of_a_batch_can_be_made_again_from_its_recipe(bridge: Bridge, checkpoint: str) -> None:
    batch = SCENE.submit(bridge, checkpoint=checkpoint, prompt="a tree", steps=None, batch=2).result(PATIENCE)
    for index, layer in enumerate(batch.layers):
        settings = {name: one for name, one in flat_settings(layer.recipe.settings).items() if name != "kind"}
        again = SCENE.submit(bridge, **settings).result(PATIENCE)
        assert np.array_equal(layer_pixels(again), layer_pixels(batch, index))
        assert again.layers[0].recipe == layer.recipe
    recipe = said(batch.layers[0].recipe)
    assert (recipe.steps, recipe.guidance, recipe.sampler) == (STEPS[checkpoint], 1.0, "Euler")
    assert recipe.inpaint_controlnet == GUIDES[checkpoint]
    assert len(batch.layers[0].recipe.inpaint_controlnet_hash) == (0 if GUIDES[checkpoint] == "off" else 64)


def test_a_controlnet_that_sees_what_is_painted_on_can_be_left_out(bridge: Bridge) -> None:
    def painted(**options: str) -> np.ndarray:
        job = SCENE.submit(bridge, checkpoint="zimage", prompt="a tree", steps=2, seed=1, **options)
        return layer_pixels(job.result(PATIENCE))

    guided = painted()
    assert np.array_equal(painted(inpaint_controlnet="zimage_union"), guided)
    assert not np.array_equal(painted(inpaint_controlnet="off"), guided)
    with pytest.raises(BridgeError) as refused:
        painted(inpaint_controlnet="tiny_scribble")
    assert refused.value.code == "unsupported_condition"
    assert "tiny_scribble" in str(refused.value)


@families
def test_cancelling_stops_it(bridge: Bridge, checkpoint: str) -> None:
    watch = Watch()
    job = SCENE.submit(bridge, checkpoint=checkpoint, prompt="a lake", steps=400, on_event=watch)
    watch.wait_for_step(2)
    job.cancel()
    with pytest.raises(JobCancelled):
        job.result(PATIENCE)
    assert max(watch.steps) < 400
