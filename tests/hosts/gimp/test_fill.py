"""A script fills a lasso selection in a photograph: the very layer that the bridge gives anybody, and nothing else."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from gimp_reference import layer_pixels
from host_desktop import wait_for
from host_reference import reference

LASSO = [1060, 130, 1180, 100, 1330, 160, 1370, 290, 1290, 400, 1150, 420, 1060, 330, 1030, 220]
PROMPT = "a red balloon\nin the sky"
SIZE = (1080, 1920, 4)


@pytest.fixture(scope="module")
def filled(gimp, bridge, photo):
    """The photograph before and after, the result, and what a plain client gets."""
    image = gimp.call("load", path=photo, show=True)
    gimp.call("select", image=image, shape="lasso", numbers=LASSO, feather=20)
    before = gimp.pixels("dump_visible", SIZE, image=image, form="R'G'B'A u8")
    selection = gimp.pixels("dump_selection", SIZE[:2], image=image)
    state = gimp.call("describe", image=image)
    result = gimp.call("run", name="fill", image=image, prompt=PROMPT, seed=3)
    assert result["status"] == "success", result
    return SimpleNamespace(
        image=image,
        before=before,
        selection=selection,
        state=state,
        result=result,
        after=gimp.pixels("dump_visible", SIZE, image=image, form="R'G'B'A u8"),
        changed=gimp.call("describe", image=image),
        wanted=reference(bridge, before, selection, kind="fill", prompt=PROMPT, seed=3),
    )


def test_the_layer_is_the_bridges_own_at_its_exact_offset(gimp, filled, output):
    top, _ = filled.changed["layers"]
    assert [top["id"]] == filled.result["layers"] == filled.changed["selected"]
    wanted = filled.wanted.layers[0]
    assert top["at"] == [wanted.x, wanted.y, wanted.picture.width, wanted.picture.height]
    height, width = wanted.picture.height, wanted.picture.width
    assert np.array_equal(layer_pixels(gimp, top), np.frombuffer(wanted.data, np.uint8).reshape(height, width, 4))
    assert top["name"] == "a red balloon in the sky"
    assert filled.changed["selection"] == filled.state["selection"], "the selection is kept"
    gimp.call("save", image=filled.image, path=str(gimp.share / "fill.png"))
    (output / "fill.png").write_bytes((gimp.share / "fill.png").read_bytes())


def test_nothing_changes_outside_the_feather(filled):
    changed = (filled.before != filled.after).any(axis=2)
    rows, columns = np.nonzero(filled.selection)
    reach = filled.wanted.reach
    near = np.zeros(changed.shape, bool)
    near[rows.min() - reach : rows.max() + 1 + reach, columns.min() - reach : columns.max() + 1 + reach] = True
    assert not (changed & ~near).any()
    transparent = np.ones(changed.shape, bool)
    layer = filled.wanted.layers[0]
    alpha = np.frombuffer(layer.data, np.uint8).reshape(layer.picture.height, layer.picture.width, 4)[..., 3]
    transparent[layer.y : layer.y + alpha.shape[0], layer.x : layer.x + alpha.shape[1]] = alpha == 0
    assert not (changed & transparent).any()
    assert changed[filled.selection == 255].mean() > 0.9, "inside it is another picture"


def test_the_recipe_stays_with_the_layer(gimp, filled):
    recipe = gimp.call("recipe", layer=filled.result["layers"][0])
    assert recipe["persistent"]
    assert recipe["settings"]["sampling"]["seed"] == 3
    assert recipe["settings"]["conditioning"]["prompt"] == PROMPT
    assert recipe["settings"]["checkpoint"] == "mini"


def test_one_undo_restores_the_image_exactly(gimp, filled):
    gimp.show()
    gimp.keys("ctrl+z")
    wait_for(lambda: gimp.call("describe", image=filled.image) == filled.state, "the undo")
    after = gimp.pixels("dump_visible", SIZE, image=filled.image, form="R'G'B'A u8")
    assert np.array_equal(after, filled.before)
    gimp.keys("ctrl+y")
    wait_for(lambda: gimp.call("describe", image=filled.image) == filled.changed, "the redo")
    again = gimp.pixels("dump_visible", SIZE, image=filled.image, form="R'G'B'A u8")
    assert np.array_equal(again, filled.after)
