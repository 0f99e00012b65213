"""A ControlNet that sees what a fill paints on: chosen where one fits, used by fills alone, blind under the mask."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_controlnets import build_tiny_controlnet
from tiny_z_image import build_tiny_z_image
from tiny_z_image_controlnets import build_tiny_z_image_controlnet

from bridge.models import ConditionUnsupported, ControlNetRegistry, inspect
from bridge.models.controlnet import inspect_controlnet
from bridge.models.controlnets import WITHOUT, choose_inpainting
from bridge.painter import InpaintingGuide, ResultCache, paint

NATIVE = 128 * 128


@pytest.fixture(scope="module")
def model(studio, tmp_path_factory):
    return studio.cache.on_demand(inspect(build_tiny_z_image(tmp_path_factory.mktemp("z") / "turbo", size=128)))


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    return inspect_controlnet(build_tiny_z_image_controlnet(tmp_path_factory.mktemp("nets") / "union"))


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph(width=151, height=117)


@pytest.fixture(scope="module")
def selection(canvas):
    found = np.zeros(canvas.shape[:2], np.float32)
    found[40:88, 48:96] = 1
    return found


def painted(request, model, studio):
    return paint(request, model, studio.Hooks(), ResultCache()).layers[0]


def asked(studio, canvas, selection, net, kind="fill", **options):
    request = studio.request(
        canvas, selection, kind=kind, native_pixels=NATIVE, prompt="a lake", steps=2, grow=0, feather=0, **options
    )
    return request if net is None else replace(request, inpainting=InpaintingGuide(net, net.inpainting.strength))


def test_a_fill_hears_it_and_sees_through_it_what_is_around(studio, model, canvas, selection, net):
    plain, guided = (painted(asked(studio, canvas, selection, one, mode="fill"), model, studio) for one in (None, net))
    assert not np.array_equal(plain.layer.pixels, guided.layer.pixels)
    alpha = studio.on_canvas(guided, canvas)[..., 3]
    assert np.array_equal(studio.merged(guided, canvas)[alpha == 0], canvas[..., :3][alpha == 0])


def test_it_sees_nothing_under_the_mask(studio, model, canvas, selection, net):
    other = canvas.copy()
    other[selection > 0, :3] = 1 - other[selection > 0, :3]
    layers = [
        painted(asked(studio, one, selection, net, mode="fill"), model, studio).layer.pixels for one in (canvas, other)
    ]
    assert np.array_equal(*layers)


def test_its_strength_and_range_count(studio, model, canvas, selection, net):
    request = asked(studio, canvas, selection, net, mode="fill")
    whole = painted(request, model, studio).layer.pixels
    for changed in ({"strength": 0.2}, {"end": 0.5}):
        one = painted(replace(request, inpainting=replace(request.inpainting, **changed)), model, studio)
        assert not np.array_equal(one.layer.pixels, whole)
    silent = replace(request.inpainting, strength=0.0)
    plain = painted(asked(studio, canvas, selection, None, mode="fill"), model, studio)
    assert np.array_equal(painted(replace(request, inpainting=silent), model, studio).layer.pixels, plain.layer.pixels)


@pytest.mark.parametrize("kind", ["refine", "generate"])
def test_other_kinds_do_without(studio, model, canvas, selection, net, kind):
    plain, guided = (
        painted(asked(studio, canvas, selection, one, kind=kind), model, studio).layer.pixels for one in (None, net)
    )
    assert np.array_equal(plain, guided)


def test_one_for_another_family_is_refused(studio, canvas, selection, net):
    with pytest.raises(ConditionUnsupported, match="was made for Z-Image"):
        painted(asked(studio, canvas, selection, net), studio.model(), studio)


def test_the_first_that_fits_is_chosen(studio, model, net, tmp_path):
    folder = tmp_path / "models" / "controlnet"
    sd1 = studio.model().checkpoint
    build_tiny_controlnet(sd1.path, folder / "a_scribble")
    build_tiny_z_image_controlnet(folder / "b_plain", inpaints=False)
    build_tiny_z_image_controlnet(folder / "c_union")
    build_tiny_z_image_controlnet(folder / "d_union", seed=1)
    registry, checkpoint = ControlNetRegistry([tmp_path / "models"]), model.checkpoint
    assert registry.choose_inpainting(checkpoint).id == "c_union"
    assert registry.choose_inpainting(checkpoint, "d_union").id == "d_union"
    assert registry.choose_inpainting(checkpoint, WITHOUT) is None
    assert registry.choose_inpainting(sd1) is None
    assert choose_inpainting({net.id: net}, replace(checkpoint, inpaint=True), None) is None
    with pytest.raises(ConditionUnsupported, match="no ControlNet for inpainting"):
        registry.choose_inpainting(checkpoint, "b_plain")
    with pytest.raises(ConditionUnsupported, match="There is no ControlNet named 'e_union'"):
        registry.choose_inpainting(checkpoint, "e_union")
    with pytest.raises(ConditionUnsupported, match="was made for Z-Image"):
        registry.choose_inpainting(sd1, "c_union")
