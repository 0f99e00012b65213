"""Memory that runs out, at each part: let go, tried again, tiled, and at last said, with what would fit."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from small_devices import APART, waits
from tiny_checkpoints import build_tiny_sd1

from bridge.canvas.geometry import Rect
from bridge.diffusion import ModelCache
from bridge.models import inspect
from bridge.painter import Cancelled, OutOfMemory, ResultCache, paint

BOX = Rect(120, 90, 70, 60)
FAILURES = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]
PARTS = [("text_encoder", "forward"), ("vae", "encode"), ("unet", "forward"), ("vae", "decode")]
parts = pytest.mark.parametrize(("part", "method"), PARTS)


@pytest.fixture(scope="module")
def canvas(studio):
    return studio.photograph(width=320, height=240)


@pytest.fixture(scope="module")
def request_(studio, canvas):
    return studio.request(canvas, studio.ellipse(canvas, BOX), kind="refine", strength=0.5, prompt="a lake")


class Scarce:
    """A part that runs out of memory: at its first `times` calls, and whenever it is given more than `most` pixels."""

    def __init__(self, model, monkeypatch, part, method, *, times=0, most=None, failure=FAILURES[0]):
        self.calls = 0
        owner = model.load(lambda: None).modules[part]
        real = getattr(owner, method)

        def scarce(*args, **options):
            self.calls += 1
            if self.calls <= times or (most is not None and args[0].shape[-2:].numel() > most):
                raise failure
            return real(*args, **options)

        monkeypatch.setattr(owner, method, scarce)


def pixels(painting):
    return painting.layers[0].layer.pixels


@pytest.mark.parametrize(
    ("part", "method", "failure"),
    [(*part, FAILURES[0]) for part in PARTS] + [(*PARTS[2], failure) for failure in FAILURES[1:]],
    ids=str,
)
def test_once_is_tried_again_and_ends_as_if_nothing_had_been(studio, request_, part, method, failure, monkeypatch):
    model, results = studio.model(), ResultCache()
    expected = pixels(paint(request_, model, studio.Hooks()))
    Scarce(model, monkeypatch, part, method, times=1, failure=failure)
    assert np.array_equal(pixels(paint(request_, model, studio.Hooks(), results)), expected)


@pytest.mark.parametrize("method", ["encode", "decode"])
def test_the_vae_goes_by_tiles_where_it_must(studio, request_, method, monkeypatch):
    model, results = studio.model(), ResultCache()
    expected = paint(request_, model, studio.Hooks())
    whole = 72 * 56 if method == "encode" else 9 * 7
    with monkeypatch.context() as patch:
        scarce = Scarce(model, patch, "vae", method, most=whole // 2)
        painting = paint(request_, model, studio.Hooks(), results)
    assert scarce.calls > 4
    # What was made in tiles is not told from what was not, so it is not kept.
    assert results.size == 0
    layer = painting.layers[0].layer
    assert layer.rect == expected.layers[0].layer.rect
    assert np.array_equal(layer.pixels[..., 3], pixels(expected)[..., 3])
    assert np.isfinite(layer.pixels).all()
    assert not np.array_equal(layer.pixels, pixels(expected))
    assert np.abs(layer.pixels - pixels(expected)).mean() < 0.1
    again = paint(request_, model, studio.Hooks(), results)
    assert np.array_equal(pixels(again), pixels(expected))


@parts
def test_what_does_not_fit_is_said_and_the_next_job_is_well(studio, request_, part, method, monkeypatch):
    model, results = studio.model(), ResultCache()
    expected = pixels(paint(request_, model, studio.Hooks(), results))
    results.free()
    with monkeypatch.context() as patch:
        scarce = Scarce(model, patch, part, method, times=10**9)
        with pytest.raises(OutOfMemory, match="not enough memory") as caught:
            paint(request_, model, studio.Hooks(), results)
    assert scarce.calls == (3 if part == "vae" else 2)
    assert caught.value.code == "out_of_memory"
    assert results.size == 0
    assert np.array_equal(pixels(paint(request_, model, studio.Hooks(), results)), expected)


def test_running_out_while_loading(studio, request_):
    model = studio.model()

    class Heavy:
        checkpoint = model.checkpoint
        placement = model.placement

        def __init__(self, times):
            self.left = times

        def load(self, check, loaded):
            self.left -= 1
            if self.left >= 0:
                raise FAILURES[0]
            return model.load(check, loaded)

        def evict_unused(self, nets):
            model.evict_unused(nets)

        def offload(self):
            return False

    expected = pixels(paint(request_, model, studio.Hooks()))
    assert np.array_equal(pixels(paint(request_, Heavy(1), studio.Hooks())), expected)
    heavy = Heavy(2)
    with pytest.raises(OutOfMemory):
        paint(request_, heavy, studio.Hooks())
    assert heavy.left == 0


def test_the_hint_says_what_would_fit(studio, request_, canvas, monkeypatch):
    model = studio.model()
    Scarce(model, monkeypatch, "unet", "forward", times=10**9)

    def hint(request):
        with pytest.raises(OutOfMemory) as caught:
            paint(request, model, studio.Hooks())
        return caught.value.hint

    assert "one picture at a time" in hint(replace(request_, seeds=(1, 2)))
    width, height = map(int, re.search(r"(\d+) x (\d+) px", hint(request_)).groups())
    assert width * height <= 1.05 * 64 * 64
    assert abs(np.log(width / height * request_.context.height / request_.context.width)) < 0.1
    small = studio.request(canvas[:60, :60], None, kind="refine", prompt="a lake")
    assert "smaller checkpoint" in hint(small)


class SmallDevice:
    """A device on which the UNet paints only while no more than `room` of the checkpoint's parts are all there."""

    def __init__(self, studio, tmp_path, monkeypatch, room):
        self.cache = ModelCache(APART)
        self.model = self.cache.on_demand(studio.model().checkpoint)
        self.other = self.cache.on_demand(inspect(build_tiny_sd1(tmp_path / "other", inpaint=True)))
        real = UNet2DConditionModel.forward

        def scarce(unet, *args, **options):
            held = self.model.load(lambda: None)
            if (
                unet is held.unet
                and sum(not waits(part) for part in (held.modules["text_encoder"], held.vae, unet)) > room
            ):
                raise FAILURES[0]
            return real(unet, *args, **options)

        monkeypatch.setattr(UNet2DConditionModel, "forward", scarce)


@pytest.mark.parametrize("room", [1, 0], ids=["all but the UNet", "all"])
def test_what_does_not_fit_waits_outside_the_device(studio, request_, room, tmp_path, monkeypatch):
    expected = pixels(paint(request_, studio.model(), studio.Hooks()))
    small, results, hooks = SmallDevice(studio, tmp_path, monkeypatch, room), ResultCache(), studio.Hooks()
    painting = paint(request_, small.model, hooks, results)
    assert np.array_equal(pixels(painting), expected)
    assert any("wait outside" in hint for hint in painting.hints)
    assert hooks.stages.count(("load", 0, 3)) == 3 - room
    # So it stays: the next job does not try again what failed, and does not say again what was said.
    held = small.model.load(lambda: None)
    hooks = studio.Hooks()
    painting = paint(replace(request_, seeds=(5,)), small.model, hooks, results)
    assert hooks.stages.count(("load", 0, 3)) == 1
    assert not painting.hints
    assert small.model.load(lambda: None).unet is held.unet
    # Another checkpoint is not held to it.
    paint(replace(request_, seeds=(5,)), small.other, studio.Hooks(), results)
    assert not waits(small.other.load(lambda: None).vae)


def test_what_does_not_fit_in_any_way_is_whole_again(studio, request_, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        small = SmallDevice(studio, tmp_path, patch, -1)
        with pytest.raises(OutOfMemory):
            paint(request_, small.model, studio.Hooks())
    expected = pixels(paint(request_, studio.model(), studio.Hooks()))
    assert np.array_equal(pixels(paint(request_, small.model, studio.Hooks())), expected)
    assert not waits(small.model.load(lambda: None).vae)


@parts
def test_cancelled_stays_cancelled(studio, request_, part, method, monkeypatch):
    model = studio.model()
    scarce = Scarce(model, monkeypatch, part, method, times=1)
    hooks = studio.Hooks(lambda _: scarce.calls > 0)
    with pytest.raises(Cancelled):
        paint(request_, model, hooks)
    # Tried again at most: both prompts, or the one picture.
    assert scarce.calls <= (3 if part == "text_encoder" else 2)


def test_another_error_is_not_tried_again(studio, request_, monkeypatch):
    scarce = Scarce(studio.model(), monkeypatch, "vae", "decode", times=10**9, failure=RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        paint(request_, studio.model(), studio.Hooks())
    assert scarce.calls == 1
