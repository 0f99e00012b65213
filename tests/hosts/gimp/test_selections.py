"""Whatever is selected: the layer is the one that a plain client gets for GIMP's own selection."""

from __future__ import annotations

import numpy as np
import pytest
from gimp_reference import layer_pixels
from host_reference import reference

WIDTH, HEIGHT = 480, 270

SELECTIONS = {
    "one pixel": {"shape": "rectangle", "numbers": [200, 120, 1, 1]},
    "a pixel in the corner": {"shape": "rectangle", "numbers": [0, 0, 1, 1]},
    "feathered": {"shape": "ellipse", "numbers": [150, 80, 60, 50], "feather": 30},
    "inverted": {"shape": "rectangle", "numbers": [30, 20, 430, 240], "invert": True},
    "over the edge": {"shape": "ellipse", "numbers": [-30, 60, 80, 60]},
}


@pytest.fixture(scope="module")
def image(gimp, photo):
    """A small part of the photograph, with a bird in it."""
    loaded = gimp.call("load", path=photo)
    gimp.call("crop", image=loaded, area=[500, 150, WIDTH, HEIGHT])
    yield loaded
    gimp.call("close", image=loaded)


REMOVE = {"kind": "fill", "mode": "remove"}
REFINE = {"kind": "refine", "strength": 0.5, "steps": 2, "seed": 5}


def filled(gimp, bridge, image, selection, name="remove", wanted=REMOVE, **arguments):
    """The new layer's place and pixels; and those of a plain client."""
    picture = gimp.pixels("dump_visible", (HEIGHT, WIDTH, 4), image=image, form="R'G'B'A u8")
    wanted = reference(bridge, picture, selection, **wanted)
    result = gimp.call("run", name=name, image=image, **arguments)
    assert result["status"] == "success", result
    (layer,) = (found for found in gimp.call("describe", image=image)["layers"] if found["id"] in result["layers"])
    pixels = layer_pixels(gimp, layer)
    gimp.call("remove_layer", layer=layer["id"])
    expected = wanted.layers[0]
    shape = (expected.picture.height, expected.picture.width, 4)
    return layer["at"][:2], pixels, [expected.x, expected.y], np.frombuffer(expected.data, np.uint8).reshape(shape)


@pytest.mark.parametrize("name", SELECTIONS)
def test_a_selection_of_any_shape(gimp, bridge, image, name):
    gimp.call("select", image=image, **SELECTIONS[name])
    selection = gimp.pixels("dump_selection", (HEIGHT, WIDTH), image=image)
    at, pixels, wanted_at, wanted = filled(gimp, bridge, image, selection)
    assert at == wanted_at
    assert np.array_equal(pixels, wanted)


@pytest.mark.parametrize("all_of_it", [True, False])
def test_everything_or_nothing_selected_is_the_whole_layer(gimp, bridge, image, all_of_it):
    gimp.call("select", image=image, shape="all" if all_of_it else "none")
    at, pixels, wanted_at, wanted = filled(gimp, bridge, image, None, "refine", REFINE, steps=2, seed=5)
    assert at == wanted_at == [0, 0]
    assert np.array_equal(pixels, wanted)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("remove", {}, "there is nothing to remove"),
        ("fill", {"mode": "remove", "prompt": "a red balloon"}, "there is nothing to remove"),
        ("fill", {"mode": "expand"}, "it is not known where the picture is to go on"),
    ],
)
def test_nothing_selected_is_nothing_to_remove_or_to_expand_into(gimp, image, name, arguments, words):
    """All of the picture would become grey: nothing would be left to go by."""
    gimp.call("select", image=image, shape="none")
    before = gimp.call("describe", image=image)
    refused = gimp.call("run", name=name, image=image, **arguments)
    assert refused["status"] == "execution-error"
    assert words in refused["error"]
    assert "try again" in refused["error"]
    assert gimp.call("describe", image=image) == before


def test_to_remove_asks_for_nothing(gimp, bridge, image):
    """A prompt that is left in the dialog would be painted where something was to go."""
    gimp.call("select", image=image, shape="ellipse", numbers=[150, 80, 60, 50])
    selection = gimp.pixels("dump_selection", (HEIGHT, WIDTH), image=image)
    at, pixels, wanted_at, wanted = filled(
        gimp, bridge, image, selection, "fill", mode="remove", prompt="a red balloon", steps=2
    )
    assert at == wanted_at
    assert np.array_equal(pixels, wanted)


def test_nothing_selected_on_a_smaller_layer_is_that_layer(gimp, bridge, image):
    gimp.call("select", image=image, shape="none")
    small = gimp.call("add_layer", image=image, x=100, y=60, width=50, height=40, colour="red")
    selection = np.zeros((HEIGHT, WIDTH), np.uint8)
    selection[60:100, 100:150] = 255
    at, pixels, wanted_at, wanted = filled(gimp, bridge, image, selection, on=[small])
    assert at == wanted_at
    assert np.array_equal(pixels, wanted)
    gimp.call("remove_layer", layer=small)


def test_a_selection_is_coverage_and_not_light(gimp, bridge, image):
    """A value of 121 read as light would be 183."""
    gimp.call("select_partly", image=image, area=[150, 80, 60, 50], value=121)
    selection = gimp.pixels("dump_selection", (HEIGHT, WIDTH), image=image)
    assert set(np.unique(selection)) == {0, 121}
    _, pixels, _, wanted = filled(gimp, bridge, image, selection)
    assert np.array_equal(pixels, wanted)
    assert 115 <= pixels[..., 3].max() <= 127


def test_off_the_layer(gimp, bridge, image):
    """What is visible is repainted there too; of the layer alone there is nothing to repaint, and that is said."""
    small = gimp.call("add_layer", image=image, x=10, y=10, width=40, height=40, colour="red")
    gimp.call("select", image=image, shape="rectangle", numbers=[200, 120, 40, 30])
    selection = gimp.pixels("dump_selection", (HEIGHT, WIDTH), image=image)
    at, pixels, wanted_at, wanted = filled(gimp, bridge, image, selection, on=[small])
    assert at == wanted_at
    assert np.array_equal(pixels, wanted)
    refused = gimp.call("run", name="remove", image=image, on=[small], source="layer")
    assert refused["status"] == "execution-error"
    assert "transparent" in refused["error"]
    gimp.call("remove_layer", layer=small)


def test_the_active_layer_alone(gimp, image):
    """Blue all around, and a red layer below nothing: seen alone, red grows together."""
    canvas = gimp.call("blank", width=160, height=120, colour="rgb(0,0,1)")
    (below,) = gimp.call("describe", image=canvas)["layers"]
    gimp.call("add_layer", image=canvas, x=0, y=0, width=160, height=120, colour="rgb(1,0,0)")
    gimp.call("select", image=canvas, shape="ellipse", numbers=[60, 40, 30, 30])
    for source, colour in (("layer", [0, 0, 255]), ("visible", [255, 0, 0])):
        result = gimp.call("run", name="remove", image=canvas, on=[below["id"]], source=source)
        layers = gimp.call("describe", image=canvas)["layers"]
        (layer,) = (found for found in layers if found["id"] in result["layers"])
        pixels = layer_pixels(gimp, layer)
        assert (pixels[pixels[..., 3] > 0][:, :3] == colour).all()
    gimp.call("close", image=canvas)


def test_a_large_image_costs_no_more_than_a_small_one(gimp):
    """The plug-in's own time for 256 selected pixels, whatever lies around them. GIMP's own merging of the visible
    layers, measured beside it, may come on top; it does not, because only the context is merged.
    """
    seconds, merging = {}, {}
    for side in (1024, 8192):
        canvas = gimp.call("blank", width=side, height=side, colour="rgb(0.2,0.5,0.3)")
        for colour in ("rgb(0.9,0.5,0.3)", "rgb(0.2,0.4,0.9)"):
            gimp.call("add_layer", image=canvas, x=0, y=0, width=side, height=side, colour=colour)
        gimp.call("select", image=canvas, shape="rectangle", numbers=[side // 2, side // 2, 256, 256])
        runs = [gimp.call("run", name="remove", image=canvas, seed=1) for _ in range(4)]
        assert all(run["status"] == "success" for run in runs)
        seconds[side] = min(run["seconds"] for run in runs)
        merging[side] = gimp.call("merge_seconds", image=canvas)
        gimp.call("close", image=canvas)
    print(f"8192: {seconds[8192]:.2f} s, 1024: {seconds[1024]:.2f} s; GIMP merges 8192 in {merging[8192]:.2f} s")
    assert seconds[8192] - seconds[1024] <= 0.3 + merging[8192] - merging[1024]
