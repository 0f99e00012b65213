"""Previews, and what is said of the device."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from bridge.diffusion import Device, PreviewMaker, find_device
from bridge.diffusion.preview import fit_latent_to_rgb

COLOURS = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, -0.5, 0]])


def linear_decoder(latents):
    """A VAE's decoder that is the linear map which previews suppose: what is fitted is known."""
    pixels = torch.einsum("bchw,ck->bkhw", latents, COLOURS) * 0.2
    return interpolate(pixels, scale_factor=8, mode="nearest")


def fitted():
    return fit_latent_to_rgb(linear_decoder, 4)


def test_the_fit_finds_a_linear_decoder():
    expected = torch.cat([COLOURS * 0.1, torch.full((1, 3), 0.5)])
    assert torch.allclose(fitted(), expected, atol=1e-5)


def test_preview_shows_the_latents_at_twice_their_size():
    shown = []
    make = PreviewMaker(fitted(), 8, lambda rgb, step: shown.append((rgb, step)))
    latents = torch.zeros(4, 8, 6)
    latents[0, :, 3:] = 2.0
    make(latents, 3)
    rgb, step = shown[0]
    assert (rgb.shape, rgb.dtype, step) == ((16, 12, 3), np.uint8, 3)
    assert np.abs(rgb[0, 0].astype(int) - [128, 128, 128]).max() <= 1
    assert np.abs(rgb[0, -1].astype(int) - [178, 128, 128]).max() <= 1


def test_previews_fit_the_wire():
    shown = []
    make = PreviewMaker(fitted(), 8, lambda rgb, step: shown.append((rgb.shape, step)))
    make(torch.zeros(4, 8, 1152), 1)
    assert shown == [((7, 1024, 3), 1)]


def test_previews_are_few(tiny):
    shown = []
    make = PreviewMaker(tiny(inpaint=False).latent_to_rgb, 8, lambda _, step: shown.append(step))
    for step in range(1, 4):
        make(torch.zeros(4, 8, 8), step)
    assert shown[0] == 1
    assert len(shown) < 3


def test_device_says_what_and_why():
    device = find_device()
    assert device.kind in ("cpu", "cuda", "rocm", "xpu", "mps")
    assert device.memory_bytes > 1 << 28
    assert device.reason.endswith(".")
    assert device.torch_dtype in (torch.float32, torch.float16, torch.bfloat16)
    assert device.batches == (device.kind != "cpu")


@pytest.mark.parametrize(
    ("kind", "backend"), [("cuda", torch.cuda), ("rocm", torch.cuda), ("xpu", torch.xpu), ("mps", torch.mps)]
)
def test_a_device_empties_and_awaits_its_own_backend(kind, backend, monkeypatch):
    called = []
    for module in (torch.cuda, torch.xpu, torch.mps):
        for name in ("empty_cache", "synchronize"):
            monkeypatch.setattr(module, name, lambda module=module, name=name: called.append((module, name)))
    device = Device(kind, "test", 1 << 30, "float16", "")
    device.empty_cache()
    device.synchronize()
    assert called == [(backend, "empty_cache"), (backend, "synchronize")]
    called.clear()
    cpu = Device("cpu", "test", 1 << 30, "float32", "")
    cpu.empty_cache()
    cpu.synchronize()
    assert not called
