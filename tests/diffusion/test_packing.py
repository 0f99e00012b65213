"""Weights that are float8 in their files take a byte each in memory, and paint as if they were wide."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_devices import waits
from tiny_checkpoints import build_tiny_sd1
from tiny_loras import build_tiny_lora

from bridge.diffusion import DenoiseInputs, ModelCache, Offload, Placement, WeightedLora, denoise, load
from bridge.diffusion.packing import pack, packed
from bridge.models import inspect, inspect_lora
from bridge.models.memory import memory_needs


def none(*_):
    pass


def narrow(folder, part):
    """Writes a part's matrices as float8."""
    weights = next((folder / part).glob("*.safetensors"))
    kind = torch.float8_e4m3fn
    save_file(
        {
            name: one.to(kind) if one.dim() == 2 and name.endswith("weight") and "embed" not in name else one
            for name, one in load_file(weights).items()
        },
        weights,
        metadata={"format": "pt"},
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = build_tiny_sd1(tmp_path_factory.mktemp("narrow") / "it", inpaint=False)
    for part in ("unet", "text_encoder"):
        narrow(folder, part)
    return inspect(folder)


def painted(model):
    prompts = model.encode_prompts("a red flower", "blue sky")
    inputs = DenoiseInputs((8, 8), prompts, sampler="DDIM", steps=2, guidance=3.0, strength=1.0)
    return denoise(model, inputs, [7], check=none, progress=none, preview=none)[0]


@pytest.mark.parametrize("offload", list(Offload))
def test_the_same_picture_and_a_byte_for_each_weight(checkpoint, cpu, offload, monkeypatch):
    # A few rows at a time, as large layers are widened.
    monkeypatch.setattr("bridge.diffusion.packing._WIDENED_AT_ONCE", 100)
    wide = load(checkpoint, cpu, check=none)
    assert packed(wide.unet) == 0
    lean = load(checkpoint, cpu, check=none, placement=Placement(offload, packed=True))
    needs = memory_needs(checkpoint, width=4)
    assert packed(lean.unet) == needs.denoiser.packable > 0
    assert packed(lean.modules["text_encoder"]) == needs.texts.packable > 0
    assert packed(lean.vae) == 0
    assert sum(one.nbytes for one in lean.unet.parameters()) == needs.denoiser.size(4, packed=True)
    assert waits(lean.unet) == (offload is Offload.ALL)
    for _ in range(2):
        assert torch.equal(painted(lean), painted(wide))
    # Nothing stays wide afterwards.
    assert packed(lean.unet) == needs.denoiser.packable


def test_main_memory_without_room_for_wide_weights_holds_packed_ones(checkpoint, cpu):
    needs = memory_needs(checkpoint, width=4)
    wide = needs.on_device(Offload.NOTHING)
    models = []
    for room, is_packed in ((wide, False), (wide - 1, True)):
        # A part of the memory is for other programs.
        cache = ModelCache(replace(cpu, memory_bytes=int(room / 0.8) + 1))
        assert cache.placement(checkpoint) == Placement(packed=is_packed, planned=is_packed)
        models.append(cache.get(checkpoint, check=none))
        assert (packed(models[-1].unet) > 0) == is_packed
    assert torch.equal(*map(painted, models))


@pytest.mark.parametrize("offload", [Offload.NOTHING, Offload.ALL])
def test_loras_lie_beside_packed_weights(checkpoint, cpu, tmp_path, offload):
    lora = inspect_lora(build_tiny_lora(checkpoint.path, tmp_path / "lora.safetensors"))
    wide = load(checkpoint, cpu, check=none)
    lean = load(checkpoint, cpu, check=none, placement=Placement(offload, packed=True))
    plain = painted(wide)
    for model in (wide, lean):
        model.adapters.set_adapters([WeightedLora(lora, 0.8)], check=none)
    changed = painted(wide)
    assert not torch.equal(changed, plain)
    assert torch.equal(painted(lean), changed)
    lean.adapters.set_adapters([], check=none)
    assert torch.equal(painted(lean), plain)
    assert packed(lean.unet) > 0


def test_only_what_loses_nothing_is_packed():
    layers = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 8), torch.nn.LayerNorm(8))
    torch.nn.init.normal_(layers[1].weight)
    with torch.no_grad():
        layers[0].weight.copy_(layers[0].weight.to(torch.float8_e5m2).float())
        # More than the other kind of float8 holds.
        layers[0].weight[0, 0] = 57344.0
        layers[2].weight.fill_(1.0)
    before = [one.clone() for one in layers.parameters()]
    pack(layers)
    assert layers[0].weight.dtype is torch.float8_e5m2
    assert {one.dtype for one in (layers[1].weight, layers[2].weight, layers[0].bias)} == {torch.float32}
    assert all(torch.equal(one.float(), old) for one, old in zip(layers.parameters(), before, strict=True))


def test_a_layer_that_failed_is_narrow_again():
    layer = torch.nn.Linear(8, 8).requires_grad_(False)
    layer.weight.copy_(layer.weight.to(torch.float8_e4m3fn).float())
    pack(layer)
    expected = layer(torch.ones(1, 8))
    with pytest.raises(RuntimeError):
        layer(torch.ones(1, 7))
    assert torch.equal(layer(torch.ones(1, 8)), expected)
    assert layer.weight.dtype is torch.float8_e4m3fn
