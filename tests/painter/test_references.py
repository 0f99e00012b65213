"""References in jobs: told to the model by number, of any size, and refused in words."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_flux2 import build_tiny_flux2

from bridge.canvas.geometry import Rect
from bridge.models import ConditionUnsupported, inspect
from bridge.models.controlnets import choose_controlnet, condition_kinds
from bridge.painter import Condition, ResultCache, paint
from bridge.painter.references import about_references, reference_indices, shown_reference
from bridge.prompts import PromptUnreadable
from bridge.protocol.job import JobKind

NATIVE = 128 * 128


@pytest.fixture(scope="module")
def klein(studio, tmp_path_factory):
    return studio.cache.on_demand(inspect(build_tiny_flux2(tmp_path_factory.mktemp("flux2") / "klein", size=128)))


def reference(name=None, size=(70, 40), seed=1, **options):
    picture = np.random.default_rng(seed).random((*size, 4), dtype=np.float32)
    return Condition("reference", picture, None, name=name, **options)


@pytest.fixture(scope="module")
def asked(studio):
    canvas = studio.photograph(width=151, height=117)

    def request(*references, kind="fill", prompt="a lake"):
        selection = None if kind == "generate" else studio.ellipse(canvas, Rect(50, 40, 46, 42))
        options = {"prompt": prompt, "steps": 2, "native_pixels": NATIVE}
        return replace(studio.request(canvas, selection, kind=kind, **options), conditions=references)

    return canvas, request


@pytest.mark.parametrize("kind", ["fill", "refine", "generate"])
def test_a_reference_of_another_size_changes_the_layer_and_nothing_around_it(studio, klein, asked, kind):
    canvas, request = asked
    results = ResultCache()
    plain, shown, another, again = (
        paint(request(*given, kind=kind), klein, studio.Hooks(), results).layers[0]
        for given in ((), (reference(),), (reference(seed=2),), (reference(),))
    )
    assert not np.array_equal(plain.layer.pixels, shown.layer.pixels)
    assert not np.array_equal(another.layer.pixels, shown.layer.pixels)
    assert np.array_equal(again.layer.pixels, shown.layer.pixels)
    assert np.isfinite(shown.layer.pixels).all()
    if kind == "fill":
        alpha = studio.on_canvas(shown, canvas)[..., 3]
        assert np.array_equal(studio.merged(shown, canvas)[alpha == 0], canvas[..., :3][alpha == 0])


@pytest.mark.parametrize(("kind", "first"), [("fill", 2), ("refine", 2), ("generate", 1), ("upscale", 1)])
def test_the_model_is_told_of_it_by_number(klein, asked, kind, first):
    request = asked[1](reference("cat"), reference("the hat"))
    request = replace(request, settings=replace(request.settings, kind=JobKind(kind)))
    assert reference_indices(request) == {0: first - 1, 1: first}
    text = about_references("<layer:cat> with <LAYER: the hat > on", request, klein.checkpoint)
    assert text == f"image {first} with image {first + 1} on"


def test_naming_one_changes_what_is_painted(studio, klein, asked):
    results = ResultCache()
    layers = [
        paint(asked[1](reference("cat"), prompt=prompt), klein, studio.Hooks(), results).layers[0].layer.pixels
        for prompt in ("image 2 by a lake", "<layer:cat> by a lake", "by a lake")
    ]
    assert np.array_equal(layers[0], layers[1])
    assert not np.array_equal(layers[1], layers[2])


def test_a_name_that_no_reference_has_is_refused(klein, asked):
    with pytest.raises(PromptUnreadable, match="dog"):
        about_references("<layer:dog>", asked[1](reference("cat")), klein.checkpoint)


def test_a_checkpoint_that_takes_none_refuses_it_before_any_work(studio, asked):
    model = studio.model()
    hooks = studio.Hooks()
    with pytest.raises(ConditionUnsupported, match="reference"):
        paint(asked[1](reference()), model, hooks, ResultCache())
    assert hooks.stages == []
    with pytest.raises(ConditionUnsupported, match="IP-Adapter"):
        choose_controlnet({}, "reference", model.checkpoint, None, folder="there")


def test_klein_takes_references_by_itself_and_of_them_the_subject(klein):
    assert condition_kinds((), klein.checkpoint) == ("reference",)
    assert choose_controlnet({}, "reference", klein.checkpoint, None, folder="there") is None
    with pytest.raises(ConditionUnsupported, match="style"):
        choose_controlnet({}, "reference", klein.checkpoint, None, folder="there", role="style")


@pytest.mark.parametrize(("size", "shown"), [((48, 64), (48, 64)), ((50, 70), (48, 64)), ((1000, 20), (512, 16))])
def test_it_is_shown_at_the_models_native_size_at_most_cut_to_its_grid(klein, size, shown):
    picture = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    found = shown_reference(picture, klein.checkpoint)
    assert [edge % 16 for edge in found.shape[:2]] == [0, 0]
    if size == (48, 64):
        assert np.array_equal(found, picture)
    assert found.shape[:2] == shown or size == (1000, 20)
    assert 0 <= found.min() <= found.max() <= 1
