"""A device too small for a checkpoint is told so before it is loaded: it paints the same within what it has."""

from dataclasses import replace

import numpy as np
import pytest
from live_memory import LiveMemory
from small_devices import APART, waits
from tiny_flux2 import build_tiny_flux2

from bridge.canvas.geometry import Rect
from bridge.diffusion import ModelCache, Offload
from bridge.models import inspect
from bridge.models.memory import memory_needs, place_on, usable_memory
from bridge.painter import ResultCache, paint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return inspect(build_tiny_flux2(tmp_path_factory.mktemp("klein") / "klein", size=256))


@pytest.fixture(scope="module")
def needs(checkpoint):
    return memory_needs(checkpoint, width=4)


def with_room(size):
    """A device that has just so many bytes for weights and computing."""
    low, high = 0, 1 << 40
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if usable_memory(middle) < size else (low, middle)
    return replace(APART, memory_bytes=high)


def asked(studio):
    canvas = studio.photograph(width=320, height=240)
    selection = studio.ellipse(canvas, Rect(100, 60, 120, 110))
    return studio.request(
        canvas, selection, kind="refine", prompt="a lake", strength=0.6, steps=4, native_pixels=256**2
    )


@pytest.fixture(scope="module")
def expected(studio, checkpoint):
    model = ModelCache(with_room(1 << 39)).on_demand(checkpoint)
    painting = paint(asked(studio), model, studio.Hooks())
    assert not painting.hints
    return painting.layers[0].layer.pixels


@pytest.mark.parametrize("offload", list(Offload)[1:])
def test_a_simulated_device_is_never_asked_for_more_than_it_has(studio, checkpoint, needs, expected, offload):
    device = with_room(needs.on_device(offload))
    assert place_on(needs, device.memory_bytes).offload is offload
    cache = ModelCache(device)
    model = cache.on_demand(checkpoint)
    loaded = model.load(lambda: None)
    parts = loaded.modules
    for name, part in parts.items():
        assert waits(part) == (name != "transformer" or offload is Offload.ALL)
    resident = sum(one.nbytes for part in parts.values() if not waits(part) for one in part.parameters())
    cache.free()
    # On the CPU what comes to the device is not copied: the largest layer is counted beside.
    largest = max(one.nbytes for part in parts.values() for one in part.parameters())
    with LiveMemory(one for part in parts.values() for one in part.parameters()) as live:
        painting = paint(asked(studio), model, studio.Hooks())
    assert np.array_equal(painting.layers[0].layer.pixels, expected)
    assert resident + largest + live.peak <= usable_memory(device.memory_bytes)
    # Said once, when it is loaded.
    assert len(painting.hints) == 1
    assert painting.hints[0].startswith("klein ")
    assert not paint(asked(studio), model, studio.Hooks()).hints


def test_the_vae_takes_tiles_from_the_beginning_where_that_is_known(studio, tmp_path, monkeypatch):
    checkpoint = inspect(build_tiny_flux2(tmp_path / "klein", size=512))
    needs = memory_needs(checkpoint, width=4)
    most = round(0.8 * needs.pixels)
    model = ModelCache(with_room(needs.on_device(Offload.ALL_BUT_DENOISER, vae_pixels=most))).on_demand(checkpoint)
    assert (model.placement.offload, model.placement.vae_pixels) == (Offload.ALL_BUT_DENOISER, most)
    vae, sizes = model.load(lambda: None).modules["vae"], []
    for method, edge in (("encode", 1), ("decode", 8)):
        real = getattr(vae, method)

        def seen(given, *args, real=real, edge=edge, **options):
            sizes.append(given.shape[-2:].numel() * edge**2)
            return real(given, *args, **options)

        monkeypatch.setattr(vae, method, seen)
    canvas = studio.photograph(width=520, height=448)
    request = studio.request(canvas, None, kind="refine", prompt="a lake", strength=0.6, steps=2)
    painting = paint(request, model, studio.Hooks())
    assert painting.layers[0].settings.model_size.area > most
    assert max(sizes) <= most
    assert len(sizes) > 4


def test_another_seed_reads_no_prompt_and_encodes_no_picture_anew(studio, checkpoint, monkeypatch):
    model = ModelCache(with_room(1 << 39)).on_demand(checkpoint)
    parts = model.load(lambda: None).modules
    calls = []
    for part, method in (("text_encoder", "forward"), ("vae", "encode")):
        real = getattr(parts[part], method)

        def counted(*args, part=part, real=real, **options):
            calls.append(part)
            return real(*args, **options)

        monkeypatch.setattr(parts[part], method, counted)
    results = ResultCache()
    first = paint(asked(studio), model, studio.Hooks(), results).layers[0].layer.pixels
    # The picture, and what is around the selection as a reference.
    assert {part: calls.count(part) for part in set(calls)} == {"text_encoder": 1, "vae": 2}
    second = paint(replace(asked(studio), seeds=(8,)), model, studio.Hooks(), results).layers[0].layer.pixels
    assert len(calls) == 3
    assert not np.array_equal(first, second)
