"""Where a result goes among the layers, what is read of them, and the strips beside a picture."""

from __future__ import annotations

import numpy as np
import pytest
from gimp_reference import layer_pixels


@pytest.fixture
def image(gimp):
    """Blue, with some of its middle selected."""
    made = gimp.call("blank", width=160, height=120, colour="rgb(0,0,1)")
    gimp.call("select", image=made, shape="ellipse", numbers=[60, 40, 30, 30])
    yield made
    gimp.call("close", image=made)


def removed(gimp, image, on, **arguments):
    """Remove what is selected, with layers chosen: the tree of names, from the top, with the new layer's as "new"."""
    result = gimp.call("run", name="remove", image=image, on=on, **arguments)
    assert result["status"] == "success", result

    def names(layers):
        # GIMP numbers layers of one name.
        return [
            ["new" if one["id"] in result["layers"] else one["name"].split(" #")[0], names(one["layers"])]
            for one in layers
        ]

    return names(gimp.call("describe", image=image)["layers"])


HIDDEN = {"hidden": {"visible": False}, "masked": {"mask": "black"}, "transparent": {"opacity": 0}}


@pytest.mark.parametrize("how", HIDDEN)
def test_above_a_group_that_hides_what_is_in_it(gimp, image, how):
    group = gimp.call("add_group", image=image)
    inner = gimp.call("add_layer", image=image, x=0, y=0, width=160, height=120, colour="red", parent=group)
    gimp.call("look", layer=group, **HIDDEN[how])
    assert removed(gimp, image, [inner]) == [["new", []], ["group", [["layer", []]]], ["layer", []]]
    assert "The group “group” hides what is in it" in gimp.log.read_text()


def test_in_a_group_that_shows_it(gimp, image):
    """A mask that is black elsewhere hides nothing."""
    group = gimp.call("add_group", image=image)
    inner = gimp.call("add_layer", image=image, x=0, y=0, width=160, height=120, colour="red", parent=group)
    gimp.call("look", layer=group, mask="selection")
    assert removed(gimp, image, [inner]) == [["group", [["new", []], ["layer", []]]], ["layer", []]]


def test_of_several_layers_above_the_highest(gimp, image):
    (below,) = gimp.call("describe", image=image)["layers"]
    middle = gimp.call("add_layer", image=image, x=0, y=0, width=160, height=120, colour="red")
    gimp.call("add_layer", image=image, x=0, y=0, width=160, height=120, colour="green")
    names = [name for name, _ in removed(gimp, image, [below["id"], middle])]
    assert names == ["layer", "new", "layer", "layer"]


def test_the_active_layer_and_below(gimp, image):
    """Seen without the grey above it, and without what lies above it in its own group."""
    group = gimp.call("add_group", image=image)
    inner = gimp.call("add_layer", image=image, x=0, y=0, width=160, height=120, colour="rgb(1,0,0)", parent=group)
    gimp.call("add_layer", image=image, x=0, y=0, width=160, height=120, colour="rgb(0,1,0)", parent=group)
    gimp.call("add_layer", image=image, x=0, y=0, width=160, height=120, colour="rgb(0.5,0.5,0.5)")
    before = gimp.call("describe", image=image)
    result = gimp.call("run", name="remove", image=image, on=[inner], source="below")
    assert result["status"] == "success", result
    layers = gimp.call("describe", image=image)["layers"]
    made = layers[1]["layers"][1]
    assert made["id"] in result["layers"]
    pixels = layer_pixels(gimp, made)
    assert (pixels[pixels[..., 3] > 0][:, :3] == [255, 0, 0]).all()
    del layers[1]["layers"][1]
    assert layers == before["layers"], "nothing else has changed"


def test_transparent_strips_are_expanded_into(gimp):
    """Where nothing is selected: as after the canvas has grown, whatever of it the layers cover."""
    image = gimp.call("blank", width=160, height=120, colour="rgb(0.2,0.6,0.4)")
    gimp.call("grow", image=image, width=200, height=150, x=30, y=0)
    result = gimp.call("run", name="fill", image=image)
    assert result["status"] == "success", result
    assert gimp.call("recipe", layer=result["layers"][0])["settings"]["mode"] == "expand"
    after = gimp.pixels("dump_visible", (150, 200, 4), image=image, form="R'G'B'A u8")
    assert (after[..., 3] == 255).all()
    assert np.abs(after.astype(int) - after[60, 100]).max() <= 1, "one colour goes on as itself"
    gimp.call("close", image=image)


def test_the_ground_behind_a_figure_is_no_strip(gimp):
    image = gimp.call("blank", width=160, height=120, colour="rgb(0.2,0.6,0.4)")
    gimp.call("select", image=image, shape="ellipse", numbers=[30, 20, 90, 70])
    gimp.call("clear_outside", image=image)
    gimp.call("select", image=image, shape="none")
    refused = gimp.call("run", name="fill", image=image, mode="expand")
    assert "it is not known where the picture is to go on" in refused["error"]
    gimp.call("close", image=image)
