"""LoHa, LoKr and DoRA on a real tiny UNet: each changes its layers by what the papers' formulas say, and mixes."""

import json

import pytest
import torch
from diffusers import UNet2DConditionModel
from lora_kinds import KINDS, decomposed, kind_of_change, save_module
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_checkpoints import build_tiny_sdxl
from tiny_loras import build_tiny_lora

from bridge.diffusion import Adapters, Device, WeightedLora
from bridge.diffusion.architectures.unet_names import original_names
from bridge.diffusion.lora_layers import AdaptedLayer
from bridge.models import LoraUnreadable, LoraUnsupported, inspect_lora

LINEAR = "down_blocks.1.attentions.0.transformer_blocks.1.attn1.to_q"
CONVOLUTION = "down_blocks.1.resnets.0.conv2"
POINT = "down_blocks.1.resnets.0.conv_shortcut"
DOWNSAMPLER = "down_blocks.0.downsamplers.0.conv"
LAYERS = (LINEAR, CONVOLUTION, POINT, DOWNSAMPLER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_tiny_sdxl(tmp_path_factory.mktemp("kinds") / "SDXL", inpaint=False)


@pytest.fixture(scope="module")
def bare(folder):
    return UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True).requires_grad_(False).eval()


@pytest.fixture
def unet(folder):
    return UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True).requires_grad_(False).eval()


def adapters_of(unet, **options):
    device = Device("cpu", "test", 1 << 30, "float32", "")
    return Adapters({"unet": unet}, device, title="tiny", originals=original_names(unet), **options)


def predicted(unet):
    generator = torch.Generator().manual_seed(1)
    added = {"text_embeds": torch.randn((2, 48), generator=generator), "time_ids": torch.randn((2, 6)).zero_() + 64}
    latents = torch.randn((2, 4, 8, 8), generator=generator)
    states = torch.randn((2, 7, 80), generator=generator)
    with torch.no_grad():
        return unet(latents, 500, encoder_hidden_states=states, added_cond_kwargs=added, return_dict=False)[0]


def with_weights(unet, weights):
    """What the UNet predicts with these weights in the place of its own, by their layers."""
    own = {path: unet.get_submodule(path).weight.data for path in weights}
    for path, weight in weights.items():
        unet.get_submodule(path).weight.data = weight
    found = predicted(unet)
    for path, weight in own.items():
        unet.get_submodule(path).weight.data = weight
    return found


def apart(one, other):
    return float((one - other).abs().max())


def kohya(path):
    return f"lora_unet_{path.replace('.', '_')}"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_adds_what_its_formula_says(bare, unet, tmp_path, kind):
    layers = LAYERS if "core" not in kind else (CONVOLUTION, DOWNSAMPLER)
    made = {path: kind_of_change(kind, bare.get_submodule(path).weight.shape, seed=9) for path in layers}
    lora = inspect_lora(save_module(tmp_path / "it.safetensors", {kohya(path): one for path, (one, _) in made.items()}))
    assert lora.family.name == "SDXL"
    assert lora.kinds == (kind.partition(" ")[0],)
    adapters = adapters_of(unet)
    adapters.set_adapters([WeightedLora(lora, 1.0)], check=lambda: None)
    for path, (_, delta) in made.items():
        change = next(iter(unet.get_submodule(path).changes.values()))
        assert apart(change.delta().reshape(delta.shape), delta) < 1e-5
    plain = predicted(bare)
    for strength in (1.0, -0.4):
        adapters.set_adapters([WeightedLora(lora, strength)], check=lambda: None)
        weights = {path: bare.get_submodule(path).weight + strength * delta for path, (_, delta) in made.items()}
        expected = with_weights(bare, weights)
        assert apart(expected, plain) > 0.01
        assert apart(predicted(unet), expected) < 1e-4
    adapters.set_adapters([WeightedLora(lora, 0.0)], check=lambda: None)
    assert torch.equal(predicted(unet), plain)


@pytest.mark.parametrize("axis", ["rows", "columns"])
@pytest.mark.parametrize("kind", ["LoRA", "LoHa", "LoKr"])
def test_a_dora_brings_rows_or_columns_to_their_lengths(bare, unet, tmp_path, kind, axis):
    modules, weights = {}, {}
    for path in LAYERS:
        weight = bare.get_submodule(path).weight.detach()
        tensors, delta = kind_of_change(kind, weight.shape, seed=5)
        magnitude, weights[path] = decomposed(weight, delta, axis)
        modules[kohya(path)] = {**tensors, "dora_scale": magnitude}
    lora = inspect_lora(save_module(tmp_path / "it.safetensors", modules))
    assert lora.kinds == ("DoRA",)
    adapters = adapters_of(unet)
    plain = predicted(bare)
    for strength in (1.0, 0.5):
        adapters.set_adapters([WeightedLora(lora, strength)], check=lambda: None)
        between = {path: torch.lerp(bare.get_submodule(path).weight, one, strength) for path, one in weights.items()}
        expected = with_weights(bare, between)
        assert apart(expected, plain) > 0.01
        assert apart(predicted(unet), expected) < 1e-4
    adapters.set_adapters([], check=lambda: None)
    assert torch.equal(predicted(unet), plain)


CONFIGS = {
    "LoHa": LoHaConfig(r=3, alpha=2, target_modules=["to_q", "conv2"], use_effective_conv2d=True, init_weights=False),
    "LoKr": LoKrConfig(r=2, alpha=3, target_modules=["to_q", "conv2"], use_effective_conv2d=True, init_weights=False),
    "LoKr, both narrow": LoKrConfig(
        r=2, alpha=3, target_modules=["to_q"], decompose_both=True, decompose_factor=8, init_weights=False
    ),
    "LoKr, whole": LoKrConfig(r=64, alpha=32, target_modules=["to_q"], decompose_factor=4, init_weights=False),
    "DoRA": LoraConfig(r=4, lora_alpha=2, target_modules=["to_q", "conv2"], use_dora=True, init_lora_weights=False),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_what_peft_saves_predicts_as_it_did_there(folder, bare, unet, tmp_path, name):
    trained = get_peft_model(
        UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True), CONFIGS[name]
    ).eval()
    generator = torch.Generator().manual_seed(3)
    for key, weight in trained.named_parameters():
        if "magnitude" in key:
            weight.data = weight * (1 + 0.2 * torch.randn(weight.shape, generator=generator))
        elif any(one in key for one in ("lora_", "hada_", "lokr_")):
            weight.data = torch.randn(weight.shape, generator=generator) * 0.5
    trained.save_pretrained(tmp_path / "it")
    lora = inspect_lora(tmp_path / "it" / "adapter_model.safetensors")
    assert lora.kinds == (name.partition(",")[0],)
    adapters_of(unet).set_adapters([WeightedLora(lora, 1.0)], check=lambda: None)
    expected = predicted(trained)
    assert apart(expected, predicted(bare)) > 0.01
    assert apart(predicted(unet), expected) < 1e-4


@pytest.mark.parametrize("prefix", ["lora_unet_", "lycoris_", "unet.", "diffusion_model.", "base_model.model.", ""])
def test_the_namings_of_trainers(unet, tmp_path, prefix):
    names = {path: name for name, (path,) in original_names(unet).items()}
    path = names[LINEAR] if prefix == "diffusion_model." else LINEAR
    flat = path.replace(".", "_") if prefix.endswith("_") else path
    tensors, delta = kind_of_change("LoKr of narrow products", unet.get_submodule(LINEAR).weight.shape)
    lora = inspect_lora(save_module(tmp_path / "it.safetensors", {f"{prefix}{flat}": tensors}))
    adapters_of(unet).set_adapters([WeightedLora(lora, 1.0)], check=lambda: None)
    layer = unet.get_submodule(LINEAR)
    assert isinstance(layer, AdaptedLayer)
    assert apart(next(iter(layer.changes.values())).delta(), delta) < 1e-5


def test_several_kinds_add_up_in_one_layer_in_any_order_of_loading(folder, bare, unet, tmp_path):
    weight = bare.get_submodule(LINEAR).weight
    loras, deltas = [], []
    for number, kind in enumerate(("LoRA", "LoHa", "LoKr")):
        tensors, delta = kind_of_change(kind, weight.shape, seed=number)
        loras.append(inspect_lora(save_module(tmp_path / f"{number}.safetensors", {kohya(LINEAR): tensors})))
        deltas.append(delta)
    whole = inspect_lora(build_tiny_lora(folder, tmp_path / "whole.safetensors", parts=("unet",)))
    adapters = adapters_of(unet)
    worn = [WeightedLora(lora, strength) for lora, strength in zip(loras, (0.5, 1.0, -0.5), strict=True)]
    adapters.set_adapters(worn, check=lambda: None)
    found = predicted(unet)
    expected = with_weights(bare, {LINEAR: weight + 0.5 * deltas[0] + deltas[1] - 0.5 * deltas[2]})
    assert apart(found, expected) < 1e-4
    again = adapters_of(
        UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True).requires_grad_(False).eval()
    )
    again.set_adapters([WeightedLora(whole, 1.0), *reversed(worn)], check=lambda: None)
    again.set_adapters(worn, check=lambda: None)
    assert torch.equal(predicted(again._parts["unet"]), found)


def test_one_of_another_size_or_half_of_one_is_refused(bare, unet, tmp_path):
    plain = predicted(unet)
    adapters = adapters_of(unet)
    out, inputs = bare.get_submodule(LINEAR).weight.shape
    wide, _ = kind_of_change("LoHa", (out, 2 * inputs))
    lora = inspect_lora(save_module(tmp_path / "wide.safetensors", {kohya(LINEAR): wide}))
    with pytest.raises(LoraUnsupported, match="does not fit tiny"):
        adapters.set_adapters([WeightedLora(lora, 1.0)], check=lambda: None)
    tensors, _ = kind_of_change("LoRA", (out, inputs))
    odd = {**tensors, "dora_scale": torch.ones(out + 1, 1)}
    lora = inspect_lora(save_module(tmp_path / "odd.safetensors", {kohya(LINEAR): odd}))
    with pytest.raises(LoraUnsupported, match="does not fit tiny"):
        adapters.set_adapters([WeightedLora(lora, 1.0)], check=lambda: None)
    assert torch.equal(predicted(unet), plain)


@pytest.mark.parametrize(
    ("kind", "drop", "words"),
    [
        ("LoHa", "hada_w2_b", "incomplete"),
        ("LoKr", "lokr_w2", "incomplete"),
        ("LoKr of narrow products", "lokr_w1_a", "incomplete"),
        ("LoRA", "lora_up.weight", "incomplete"),
    ],
)
def test_a_kind_that_lacks_a_tensor_is_incomplete(tmp_path, kind, drop, words):
    tensors, _ = kind_of_change(kind, (64, 64))
    del tensors[drop]
    with pytest.raises(LoraUnreadable, match=words):
        inspect_lora(save_module(tmp_path / "it.safetensors", {kohya(LINEAR): tensors}))


def test_tensors_of_two_kinds_in_one_module_are_damage(tmp_path):
    mixed = kind_of_change("LoRA", (64, 64))[0] | kind_of_change("LoHa", (64, 64))[0]
    with pytest.raises(LoraUnreadable, match="damaged"):
        inspect_lora(save_module(tmp_path / "it.safetensors", {kohya(LINEAR): mixed}))
    loha, _ = kind_of_change("LoHa", (64, 64))
    with pytest.raises(LoraUnreadable, match="damaged"):
        inspect_lora(
            save_module(tmp_path / "it.safetensors", {kohya(LINEAR): {**loha, "hada_w1_b": torch.ones(2, 64)}})
        )


class _Fused(torch.nn.Module):
    """Three layers that are one in the original layout, and one that is not."""

    def __init__(self):
        super().__init__()
        self.to_q, self.to_k, self.to_v = torch.nn.Linear(8, 12), torch.nn.Linear(8, 12), torch.nn.Linear(8, 24)


@pytest.mark.parametrize("axis", [None, "rows", "columns"])
@pytest.mark.parametrize("kind", ["LoRA", "LoHa", "LoKr"])
def test_a_layer_that_is_several_here_is_changed_row_by_row(tmp_path, kind, axis):
    model = _Fused().requires_grad_(False)
    layers = (model.to_q, model.to_k, model.to_v)
    weight = torch.cat([layer.weight for layer in layers])
    tensors, delta = kind_of_change(kind, weight.shape)
    wanted = weight + delta
    if axis is not None:
        tensors["dora_scale"], wanted = decomposed(weight, delta, axis)
    # Any name that is known as a UNet's, for this family has none like it.
    name = "mid_block_attentions_0_transformer_blocks_1_qkv"
    lora = inspect_lora(save_module(tmp_path / "it.safetensors", {f"lora_unet_{name}": tensors}))
    device = Device("cpu", "test", 1 << 30, "float32", "")
    adapters = Adapters({"unet": model}, device, title="tiny", originals={name: ("to_q", "to_k", "to_v")})
    inputs = torch.randn((5, 8), generator=torch.Generator().manual_seed(2))
    bias = torch.cat([layer.bias for layer in layers])
    adapters.set_adapters([WeightedLora(lora, 1.0)], check=lambda: None)
    found = torch.cat([model.to_q(inputs), model.to_k(inputs), model.to_v(inputs)], dim=-1)
    assert apart(found, inputs @ wanted.T + bias) < 1e-5


def test_dora_in_a_config_without_magnitudes_is_refused(tmp_path):
    tensors, _ = kind_of_change("LoRA", (64, 64))
    del tensors["alpha"]
    names = {"lora_down.weight": "lora_A.weight", "lora_up.weight": "lora_B.weight"}
    path = tmp_path / "adapter_model.safetensors"
    save_file({f"base_model.model.{LINEAR}.{names[end]}": tensor for end, tensor in tensors.items()}, path)
    path.with_name("adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 4, "use_dora": True}))
    with pytest.raises(LoraUnsupported, match="use_dora"):
        inspect_lora(path)
    assert len(load_file(path)) == 2
