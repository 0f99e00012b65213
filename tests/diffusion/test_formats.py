"""Formats: what is loaded from quantised files is what they stand for, tensor by tensor, and paints."""

import shutil

import gguf
import numpy as np
import pytest
import torch
from quantised_files import FORMATS, save_gguf
from safetensors.torch import load_file, save_file
from tiny_flux2 import build_tiny_flux2, original_flux2_transformer

from bridge.diffusion import DenoiseInputs, Placement, denoise, load
from bridge.diffusion.dequantisation import StoredWeight, from_gguf, hadamard
from bridge.diffusion.packing import packed, wide_weight
from bridge.models import CheckpointUnreadable, Registry, inspect
from bridge.models.memory import memory_needs


@pytest.fixture(scope="module")
def klein(tmp_path_factory):
    return build_tiny_flux2(tmp_path_factory.mktemp("built") / "klein", seed=3)


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "models"
    for name in ("text_encoders", "vae"):
        (folder / name).mkdir(parents=True)
    return folder


def tensors_of(part):
    return load_file(next(part.glob("*.safetensors")))


def install(klein, models, name="mine"):
    """All but the transformer of a Klein in several files, and the small texts beside where that is to come."""
    shutil.copy(next((klein / "vae").glob("*.safetensors")), models / "vae" / "flux2-vae.safetensors")
    shutil.copy(next((klein / "text_encoder").glob("*.safetensors")), models / "text_encoders" / "qwen.safetensors")
    shutil.copytree(
        klein, models / f"{name}.config", ignore=shutil.ignore_patterns("*.safetensors", "model_index.json")
    )


def loaded(cpu):
    return load(Registry().get("mine"), cpu, check=lambda: None)


def same(found, expected):
    state = found.state_dict()
    assert state.keys() == expected.keys()
    for name, one in expected.items():
        assert torch.equal(state[name], one.float()), name


@pytest.mark.parametrize("called", FORMATS)
def test_each_format_is_what_it_stands_for(klein, models, cpu, called):
    install(klein, models)
    stored, meant = FORMATS[called](tensors_of(klein / "transformer"))
    save_file(
        {f"model.diffusion_model.{name}": one.contiguous() for name, one in stored.items()}, models / "mine.safetensors"
    )
    model = loaded(cpu)
    same(model.modules["transformer"], meant)
    assert model.modules["transformer"].dtype == torch.float32


@pytest.mark.parametrize("called", ["bfl_fp8", "convrot", "nvfp4"])
def test_the_original_layout_is_taken_apart_after_its_scales(klein, models, cpu, called):
    """Queries, keys and values are one weight there, with one row of scales for each of its rows."""
    install(klein, models)
    original = original_flux2_transformer(tensors_of(klein / "transformer"))
    stored, meant = FORMATS[called](original)
    save_file({name: one.contiguous() for name, one in stored.items()}, models / "mine.safetensors")
    found = loaded(cpu).modules["transformer"].state_dict()
    again = original_flux2_transformer(dict(found))
    for name, one in meant.items():
        assert torch.equal(again[name], one.float()), name


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q5_1", "F16", "BF16"])
def test_gguf_is_what_it_stands_for(klein, models, cpu, kind):
    install(klein, models)
    meant = save_gguf(tensors_of(klein / "transformer"), models / "mine.gguf", kind)
    same(loaded(cpu).modules["transformer"], meant)


def test_a_text_encoder_in_llama_cpps_names(klein, models, cpu):
    """As language models' GGUF files are made for llama.cpp."""
    install(klein, models)
    save_file(tensors_of(klein / "transformer"), models / "mine.safetensors")
    tensors = {
        name.removeprefix("model."): one
        for name, one in tensors_of(klein / "text_encoder").items()
        if "lm_head" not in name
    }
    (models / "text_encoders" / "qwen.safetensors").unlink()
    named = {llama_name(name): one for name, one in tensors.items()}
    meant = save_gguf(named, models / "text_encoders" / "qwen.gguf", "Q8_0", "qwen3")
    same(loaded(cpu).modules["text_encoder"], {name: meant[llama_name(name)] for name in tensors})


def llama_name(name):
    """What llama.cpp's converter makes of transformers' names."""
    for new, old in (
        ("embed_tokens", "token_embd"), ("layers.", "blk."), ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"), ("self_attn.q_norm", "attn_q_norm"),
        ("self_attn.k_norm", "attn_k_norm"), ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"), ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
    ):  # fmt: skip
        name = name.replace(new, old)
    return name.replace("norm.weight", "output_norm.weight") if name == "norm.weight" else name


def test_formats_are_named(klein, models):
    install(klein, models)
    found = {}
    for called, quantise in FORMATS.items():
        stored, _ = quantise(tensors_of(klein / "transformer"))
        path = models / f"{called}.safetensors"
        save_file({name: one.contiguous() for name, one in stored.items()}, path)
        found[called] = str(inspect(path).part("transformer").format)
    save_gguf(tensors_of(klein / "transformer"), models / "some.gguf")
    found["gguf"] = str(inspect(models / "some.gguf").part("transformer").format)
    assert found == {
        "plain_fp8": "fp8", "scaled_fp8": "fp8 scaled", "comfy_fp8": "fp8 scaled", "bfl_fp8": "fp8 scaled",
        "nvfp4": "nvfp4", "int8": "int8 ConvRot", "convrot": "int8 ConvRot", "gguf": "GGUF",
    }  # fmt: skip


@pytest.mark.parametrize("size", [4, 16, 64, 256])
def test_the_rotation_is_its_own_inverse(size):
    turn = hadamard(size)
    assert torch.equal(turn, turn.T)
    assert torch.equal(turn @ turn, torch.eye(size))


def test_a_truncated_gguf_is_refused(klein, models):
    save_gguf(tensors_of(klein / "transformer"), models / "mine.gguf")
    content = (models / "mine.gguf").read_bytes()
    for length in (4, 20, 200, len(content) // 2, len(content) - 1):
        (models / "mine.gguf").write_bytes(content[:length])
        with pytest.raises(CheckpointUnreadable):
            inspect(models / "mine.gguf")


@pytest.mark.parametrize(
    ("called", "original"),
    [
        ("plain_fp8", False), ("comfy_fp8", False), ("bfl_fp8", True), ("int8", False), ("convrot", True),
        ("nvfp4", True), ("Q8_0", True), ("Q4_0", False),
    ],
)  # fmt: skip
def test_weights_stay_as_small_as_their_file_and_paint_the_same(klein, models, cpu, called, original):
    """Also where the original layout has queries, keys and values in one."""
    install(klein, models)
    tensors = tensors_of(klein / "transformer")
    tensors = original_flux2_transformer(tensors) if original else tensors
    if called in FORMATS:
        stored, _ = FORMATS[called](tensors)
        save_file({name: one.contiguous() for name, one in stored.items()}, models / "mine.safetensors")
    else:
        save_gguf(tensors, models / "mine.gguf", called)
    checkpoint = Registry().get("mine")
    wide = load(checkpoint, cpu, check=lambda: None)
    lean = load(checkpoint, cpu, check=lambda: None, placement=Placement(packed=True))
    transformers = [model.modules["transformer"] for model in (wide, lean)]
    assert packed(transformers[0]) == 0
    linear = [one for one in transformers[1].modules() if isinstance(one, torch.nn.Linear)]
    most = sum(one.in_features * one.out_features for one in linear if one.in_features % 32 == 0)
    assert packed(transformers[1]) >= most > 0
    assert bytes_of(transformers[1]) < bytes_of(transformers[0]) / 2
    layers = zip(*(transformer.modules() for transformer in transformers), strict=True)
    assert all(torch.equal(one.weight, wide_weight(other)) for one, other in layers if isinstance(one, torch.nn.Linear))
    needs = memory_needs(checkpoint, width=4).denoiser
    assert needs.parameters == sum(one.numel() for one in transformers[0].parameters())
    assert needs.packable == packed(transformers[1])
    assert needs.size(4, packed=True) == bytes_of(transformers[1])
    prompts = wide.encode_prompts("a red flower", "")
    inputs = DenoiseInputs((4, 4), prompts, sampler="Euler", steps=2, guidance=1.0, strength=1.0)
    pictures = [
        denoise(model, inputs, [7], check=lambda: None, progress=lambda *_: None, preview=lambda *_: None)[0]
        for model in (wide, lean, lean)
    ]
    assert torch.equal(pictures[0], pictures[1])
    assert torch.equal(pictures[1], pictures[2])


def bytes_of(module):
    return sum(one.nbytes for one in (*module.parameters(), *module.buffers()))


@pytest.mark.parametrize(
    "kind", ["Q4_K", "Q5_K", "Q6_K", "Q3_K", "Q2_K", "IQ4_XS", "IQ4_NL", "Q5_0", "Q4_1", "IQ3_S", "IQ2_XXS"]
)
def test_kinds_that_are_only_read_are_read_as_their_authors_do(kind):
    """Nothing here writes them: the bytes are random, their scales small and finite."""
    number = gguf.GGMLQuantizationType[kind]
    block, size = gguf.GGML_QUANT_SIZES[number]
    content = np.random.default_rng(5).integers(0, 52, 6 * 2 * size, dtype=np.uint8)
    expected = gguf.quants.dequantize(content, number).reshape(6, 2 * block)
    assert np.isfinite(expected).all()
    found = from_gguf(content, kind, (6, 2 * block))
    wide = found.widened(torch.float32) if isinstance(found, StoredWeight) else found
    assert np.array_equal(wide.numpy(), expected)
