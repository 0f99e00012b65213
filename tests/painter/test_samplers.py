"""Every sampler paints whole jobs, by the name that users know it by."""

import numpy as np
import pytest
from job_forms import made_with

from bridge.canvas.geometry import Rect
from bridge.models import SAMPLERS
from bridge.models.errors import SamplerUnsupported
from bridge.painter import paint


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph(width=120, height=90)


@pytest.fixture(scope="module")
def selection(studio, canvas):
    return studio.ellipse(canvas, Rect(40, 25, 40, 40))


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("inpaint", [False, True], ids=["four channels", "nine channels"])
@pytest.mark.parametrize(("steps", "strength"), [(3, 1.0), (4, 0.5)])
def test_every_sampler_fills(studio, hooks, canvas, selection, sampler, inpaint, steps, strength):
    request = studio.request(
        canvas, selection, prompt="a red flower", sampler=sampler, steps=steps, strength=strength, seeds=(7,)
    )
    painted = paint(request, studio.model(inpaint=inpaint), hooks).layers[0]
    assert made_with(painted)["sampler"] == sampler
    taken = steps if strength == 1 else round(steps * strength)
    assert [stage for stage in hooks.stages if stage[0] == "denoise"] == [
        ("denoise", step, taken) for step in range(taken + 1)
    ]
    assert bool(np.isfinite(painted.layer.pixels).all())
    changed = np.abs(studio.merged(painted, canvas) - canvas[..., :3]).max(axis=-1)
    assert float(changed[selection > 0].mean()) > 0.01
    assert float(changed[:10].max()) == 0


def test_each_sampler_paints_its_own_picture(studio, hooks, canvas, selection):
    pictures = {}
    for sampler in SAMPLERS:
        request = studio.request(canvas, selection, prompt="a red flower", sampler=sampler, steps=4, seeds=(7,))
        pictures[sampler] = paint(request, studio.model(), hooks).layers[0].layer.pixels.tobytes()
    assert len(set(pictures.values())) == len(SAMPLERS)


@pytest.mark.parametrize(
    ("sampler", "steps", "guidance", "told"),
    [("LCM", 4, 1.5, False), ("TCD", 21, 1.5, True), ("LCM", 4, 7.0, True), ("Euler", 21, 7.0, False)],
)
def test_a_hint_when_a_distilled_sampler_gets_an_ordinary_ones_numbers(
    studio, hooks, canvas, selection, sampler, steps, guidance, told
):
    request = studio.request(
        canvas, selection, prompt="a red flower", sampler=sampler, steps=steps, guidance=guidance, seeds=(7,)
    )
    painting = paint(request, studio.model(), hooks)
    settings = made_with(painting.layers[0])
    assert (settings["steps"], settings["guidance"]) == (steps, guidance)
    assert any(hint.startswith(f"{sampler} is made for") for hint in painting.hints) == told


def test_an_unknown_name_is_refused(studio, hooks, canvas, selection):
    with pytest.raises(SamplerUnsupported) as refused:
        paint(studio.request(canvas, selection, sampler="Euler's own", seeds=(7,)), studio.model(), hooks)
    assert all(name in refused.value.hint for name in SAMPLERS)
