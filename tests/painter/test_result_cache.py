"""What is kept between jobs: by content, within its bytes, and never to be told from what is made anew."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from job_forms import with_settings

from bridge.canvas.geometry import Rect
from bridge.painter import Cancelled, ResultCache, paint

# Its name in the package is the function's.
filling = importlib.import_module("bridge.painter.fill")
BOX = Rect(120, 90, 70, 60)


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph(width=320, height=240)


@pytest.fixture(scope="module")
def selection(studio, canvas):
    return studio.ellipse(canvas, BOX)


def counted(monkeypatch, model):
    """The names of the parts that ran, in order."""
    ran = []
    components = model.load(lambda: None)
    for name, part, method in (
        ("text", components.modules["text_encoder"], "forward"),
        ("encode", components.vae, "encode"),
        ("unet", components.unet, "forward"),
    ):
        real = getattr(part, method)
        monkeypatch.setattr(part, method, lambda *a, real=real, name=name, **k: (ran.append(name), real(*a, **k))[1])
    real_infill = filling.infill
    monkeypatch.setattr(filling, "infill", lambda *a: (ran.append("infill"), real_infill(*a))[1])
    return ran


@pytest.mark.parametrize(
    ("kind", "mode", "strength", "inpaint"),
    [
        ("fill", "remove", 1.0, False),
        ("fill", "fill", 1.0, True),
        ("fill", "fill", 0.5, True),
        ("refine", "refine", 0.4, False),
        ("generate", "generate", 1.0, True),
    ],
)
def test_another_seed_starts_denoising_at_once(studio, canvas, selection, kind, mode, strength, inpaint, monkeypatch):
    model, results = studio.model(inpaint=inpaint), ResultCache()
    request = studio.request(canvas, selection, kind=kind, mode=mode, strength=strength, prompt="a lake")
    ran = counted(monkeypatch, model)
    paint(request, model, studio.Hooks(), results)
    assert ("infill" in ran) is (kind == "fill")
    assert {"text", "unet"} <= set(ran)
    ran.clear()
    other = replace(request, seeds=(7,), picture=request.picture.copy())
    second = paint(other, model, studio.Hooks(), results)
    assert set(ran) == {"unet"}
    alone = paint(other, model, studio.Hooks())
    assert np.array_equal(second.layers[0].layer.pixels, alone.layers[0].layer.pixels)
    assert second.layers[0].settings == alone.layers[0].settings
    assert second.hints == alone.hints


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a rock"},
        {"negative_prompt": "sky"},
        {"strength": 0.5},
        {"strength": 1.0},
        {"grow": 9.0},
        {"feather": 30.0},
        {"strict": True},
        {"mode": "remove"},
        {"kind": "refine", "mode": "refine"},
        {"picture": "brighter"},
        {"selection": "less"},
    ],
    ids=str,
)
def test_whatever_differs_is_made_anew(studio, canvas, selection, change):
    model, results = studio.model(inpaint=True), ResultCache()
    request = studio.request(canvas, selection, prompt="a lake", strength=0.8, steps=1)
    paint(request, model, studio.Hooks(), results)
    if "picture" in change:
        change = {"picture": request.picture * np.float32(0.9)}
    if "selection" in change:
        change = {"selection": request.selection * np.float32(0.5)}
    other = with_settings(request, **change)
    after = paint(other, model, studio.Hooks(), results).layers[0].layer
    alone = paint(other, model, studio.Hooks()).layers[0].layer
    assert np.array_equal(after.pixels, alone.pixels)
    assert after.rect == alone.rect


def test_two_checkpoints_share_pixels_alone(studio, canvas, selection):
    results = ResultCache()
    request = studio.request(canvas, selection, prompt="a lake", steps=1)
    paint(request, studio.model(), studio.Hooks(), results)
    other = studio.model(seed=3)
    after = paint(request, other, studio.Hooks(), results).layers[0].layer
    assert np.array_equal(after.pixels, paint(request, other, studio.Hooks()).layers[0].layer.pixels)


def test_a_cancelled_job_leaves_nothing_wrong_behind(studio, canvas, selection):
    model, results = studio.model(), ResultCache()
    request = studio.request(canvas, selection, prompt="a lake")
    for stage in ("infill", "encode", "denoise"):
        hooks = studio.Hooks(lambda stages, stage=stage: any(name == stage for name, _, _ in stages))
        with pytest.raises(Cancelled):
            paint(request, model, hooks, results)
    after = paint(request, model, studio.Hooks(), results).layers[0].layer
    assert np.array_equal(after.pixels, paint(request, model, studio.Hooks()).layers[0].layer.pixels)


def test_bytes_are_bounded_and_the_oldest_leave():
    results, made = ResultCache(budget=4000), []

    def get(key, size):
        return results.get(
            key, lambda: (made.append(key), (torch.zeros(size // 8), np.zeros(size // 8, np.float32)))[1]
        )

    get("a", 1600)
    get("b", 1600)
    get("a", 1600)
    get("c", 1600)
    assert results.size == 3200
    get("a", 1600)
    get("c", 1600)
    assert made == ["a", "b", "c"]
    get("b", 1600)
    assert made == ["a", "b", "c", "b"]
    get("too large", 8000)
    get("too large", 8000)
    assert made[-2:] == ["too large"] * 2
    assert results.size == 3200
    results.free()
    assert results.size == 0
