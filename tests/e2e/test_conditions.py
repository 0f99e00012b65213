"""Conditions, end to end: a scribble and a label map go in beside the picture, and the layer comes out otherwise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from job_forms import said
from whole_bridge import PATIENCE, Scene, layer_pixels

from bridge.client import Bridge, ConditionPixels, JobResult, Pixels, RegionPixels
from bridge.protocol.errors import BridgeError

SCENE = Scene.of(160, 120, (60, 40, 41, 40))


def painted(bridge: Bridge, *conditions: ConditionPixels, **fields: object) -> JobResult:
    values = {"checkpoint": "base", "prompt": "a lake", **fields}
    return SCENE.submit(bridge, conditions=conditions, **values).result(PATIENCE)


def context(bridge: Bridge):  # type: ignore[no-untyped-def]
    return bridge.plan(canvas=SCENE.canvas, selection=SCENE.bounds, timeout=PATIENCE).context


@pytest.fixture
def scribble(bridge: Bridge) -> ConditionPixels:
    """A cross, as coverage."""
    rect = context(bridge)
    lines = np.zeros((rect.height, rect.width), np.uint8)
    lines[rect.height // 2 - 4 : rect.height // 2 + 4] = 255
    lines[:, rect.width // 2 - 4 : rect.width // 2 + 4] = 255
    return ConditionPixels("scribble", Pixels(lines.tobytes(), rect.width, rect.height, 1))


@pytest.fixture
def label_map(bridge: Bridge) -> ConditionPixels:
    """Sky above, water below."""
    rect = context(bridge)
    labels = np.full((rect.height, rect.width, 3), (6, 230, 230), np.uint8)
    labels[rect.height // 2 :] = (61, 230, 250)
    return ConditionPixels("label_map", Pixels(labels.tobytes(), rect.width, rect.height, 3))


def test_the_welcome_says_what_each_checkpoint_takes(bridge: Bridge) -> None:
    taken = {info.name: info.conditions for info in bridge.welcome.checkpoints}
    assert taken["base"] == taken["large"] == ("label_map", "scribble")
    assert taken["mini"] == ()


def test_each_and_both_at_once_change_the_layer(
    bridge: Bridge, scribble: ConditionPixels, label_map: ConditionPixels
) -> None:
    results = [painted(bridge, *some) for some in ((), (scribble,), (label_map,), (scribble, label_map))]
    layers = [layer_pixels(result) for result in results]
    for index, one in enumerate(layers):
        assert not any(np.array_equal(one, other) for other in layers[index + 1 :])
        assert np.array_equal(one[..., 3], layers[0][..., 3])
    silent = painted(bridge, dataclasses.replace(scribble, strength=0.0))
    assert np.array_equal(layer_pixels(silent), layers[0])


@pytest.mark.parametrize("kind", ["fill", "refine", "generate"])
def test_the_recipe_says_what_guided_it_and_makes_it_again(
    bridge: Bridge, scribble: ConditionPixels, label_map: ConditionPixels, kind: str
) -> None:
    mask = Pixels(bytes([255]) * (scribble.picture.width * scribble.picture.height), *size(scribble), 1)
    ranged = dataclasses.replace(scribble, mask=mask, strength=0.8, start=0.0, end=0.5)
    once = painted(bridge, ranged, label_map, kind=kind)
    first, second = said(once.layers[0].recipe).conditions
    assert (first.kind, first.strength, first.start, first.end) == ("scribble", 0.8, 0.0, 0.5)
    assert (first.controlnet, second.controlnet) == ("tiny_scribble", "tiny_seg")
    assert len(set(once.layers[0].recipe.controlnet_hashes)) == 2
    assert first.mask is not None
    assert second.mask is None
    named = [dataclasses.replace(one, controlnet=use.controlnet) for one, use in ((ranged, first), (label_map, second))]
    again = painted(bridge, *named, kind=kind)
    assert np.array_equal(layer_pixels(once), layer_pixels(again))
    assert again.layers[0].recipe == once.layers[0].recipe


def size(condition: ConditionPixels) -> tuple[int, int]:
    return condition.picture.width, condition.picture.height


def test_nine_channels_take_them_too(bridge: Bridge, scribble: ConditionPixels) -> None:
    with_it, without = (painted(bridge, *some, checkpoint="inpaint") for some in ((scribble,), ()))
    assert not np.array_equal(layer_pixels(with_it), layer_pixels(without))


def test_what_cannot_be_is_refused_with_what_to_do(
    bridge: Bridge, scribble: ConditionPixels, label_map: ConditionPixels
) -> None:
    for condition, checkpoint in (
        (scribble, "mini"),
        (dataclasses.replace(label_map, kind="reference"), "base"),
        (dataclasses.replace(scribble, controlnet="nobody"), "base"),
    ):
        with pytest.raises(BridgeError) as refused:
            painted(bridge, condition, checkpoint=checkpoint)
        assert refused.value.code == "unsupported_condition"
        assert refused.value.hint


def test_a_prompt_for_a_region_changes_the_layer_and_is_in_the_recipe_that_makes_it_again(bridge: Bridge) -> None:
    rect = context(bridge)
    mask = np.zeros((rect.height, rect.width), np.uint8)
    mask[:, rect.width // 2 :] = 255
    right = RegionPixels("{snow|fire}", Pixels(mask.tobytes(), rect.width, rect.height, 1))
    without, once = painted(bridge, seed=3), painted(bridge, seed=3, regions=[right])
    assert not np.array_equal(layer_pixels(once), layer_pixels(without))
    (region,) = said(once.layers[0].recipe).regions
    assert (region.prompt, region.negative_prompt, region.mask.width) == ("{snow|fire}", None, rect.width)
    again = painted(bridge, seed=3, regions=[dataclasses.replace(right, prompt=region.prompt)])
    assert np.array_equal(layer_pixels(again), layer_pixels(once))
    with pytest.raises(BridgeError, match="counts for the whole picture") as refused:
        painted(bridge, regions=[dataclasses.replace(right, prompt="snow <lora:ink:1>")])
    assert refused.value.code == "prompt_unreadable"
    small = Pixels(mask[1:].tobytes(), rect.width, rect.height - 1, 1)
    with pytest.raises(BridgeError) as wrong:
        painted(bridge, regions=[dataclasses.replace(right, mask=small)])
    assert wrong.value.code == "picture_mismatch"
