"""Parts that wait outside their device paint as those that do not, alone and with LoRAs and ControlNets.

Here the device that each layer comes to is the CPU too: the way there is not tested, what is moved, and when, is.
"""

import pytest
import torch
from small_devices import APART, waits
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl
from tiny_controlnets import build_tiny_controlnet, control_of
from tiny_loras import build_tiny_lora

from bridge.diffusion import (
    DenoiseInputs,
    ModelCache,
    Offload,
    Placement,
    WeightedLora,
    denoise,
    load,
)
from bridge.models import inspect, inspect_controlnet, inspect_lora

STEPS = list(Offload)[1:]


def none(*_):
    pass


def painted(components, *controls):
    prompts = components.encode_prompts("a red flower", "blue sky")
    inputs = DenoiseInputs((8, 8), prompts, sampler="DDIM", steps=3, guidance=3.0, strength=1.0, conditioners=controls)
    latents = denoise(components, inputs, [7], check=none, progress=none, preview=none)[0]
    picture = torch.from_numpy(components.decode(latents))
    return torch.cat([picture.flatten(), components.encode(picture.numpy()).flatten()])


@pytest.fixture(scope="module", params=[build_tiny_sd1, build_tiny_sdxl])
def checkpoint(request, tmp_path_factory):
    return inspect(request.param(tmp_path_factory.mktemp("waiting") / "it", inpaint=False))


def test_the_same_picture(checkpoint, cpu):
    whole = load(checkpoint, cpu, check=none)
    expected = painted(whole)
    for offload in list(Offload)[1:]:
        lean = load(checkpoint, cpu, check=none, placement=Placement(offload))
        for name, part in lean.modules.items():
            assert waits(part) == (name != "unet" or offload is Offload.ALL)
        assert torch.allclose(lean.latent_to_rgb, whole.latent_to_rgb, atol=1e-5)
        assert torch.equal(painted(lean), expected)


def test_loras_come_and_go(checkpoint, cpu, tmp_path):
    lora = inspect_lora(build_tiny_lora(checkpoint.path, tmp_path / "lora.safetensors"))
    whole = load(checkpoint, cpu, check=none)
    lean = load(checkpoint, cpu, check=none, placement=Placement(Offload.ALL))
    expected = painted(whole)
    for components in (whole, lean):
        components.adapters.set_adapters([WeightedLora(lora, 0.8)], check=none)
    changed = painted(whole)
    assert not torch.equal(changed, expected)
    assert torch.equal(painted(lean), changed)
    assert waits(lean.unet)
    lean.adapters.set_adapters([], check=none)
    assert torch.equal(painted(lean), expected)


def test_what_does_not_fit_waits_until_another_was_used(checkpoint, tmp_path):
    other = inspect(build_tiny_sd1(tmp_path / "other", inpaint=True))
    net = inspect_controlnet(build_tiny_controlnet(checkpoint.path, tmp_path / "net"))
    cache = ModelCache(APART, budget=1)
    whole = cache.get(checkpoint, check=none)
    drawing = torch.zeros(1, 3, 64, 64)
    expected = painted(whole, control_of(cache.guides([net], check=none)[0], drawing))
    for step in STEPS:
        assert cache.offload(checkpoint)
        lean = cache.get(checkpoint, check=none)
        assert lean is not whole
        assert waits(lean.vae)
        assert waits(lean.unet) == (step == STEPS[-1])
        control = control_of(cache.guides([net], check=none)[0], drawing)
        assert waits(control.conditioner.net) == waits(lean.unet)
        assert torch.equal(painted(lean, control), expected)
        assert cache.get(checkpoint, check=none).vae is lean.vae
    assert not waits(cache.get(other, check=none).vae)
    assert not waits(cache.get(checkpoint, check=none).vae)


def test_where_nothing_more_can_wait(checkpoint, cpu):
    cache = ModelCache(APART)
    for _ in range(2):
        assert [cache.offload(checkpoint) for _ in Offload] == [True, True, False]
        assert not waits(cache.get(checkpoint, check=none).vae)
    shared = ModelCache(cpu)
    held = shared.get(checkpoint, check=none)
    assert not shared.offload(checkpoint)
    assert shared.get(checkpoint, check=none).unet is held.unet
