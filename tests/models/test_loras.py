"""LoRAs, told by content: naming, family, rank, trigger words; where they lie, and how they are found by name."""

import hashlib
import json
import os
import shutil
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl
from tiny_loras import LAYOUTS, build_tiny_lora

from bridge.models import LoraRegistry, LoraUnknown, LoraUnreadable, LoraUnsupported, Registry, inspect, inspect_lora
from bridge.models.errors import ModelsError, NotALora
from bridge.models.registered import read_registered, write_registered
from bridge.prompts.loras import NamedLora, take_loras

BUILDERS = {"SD1": build_tiny_sd1, "SD2": build_tiny_sd2, "SDXL": build_tiny_sdxl}
UUID = "0b1c2d3e-1111-4222-8333-444455556666"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return {family: build(folder / family, inpaint=False) for family, build in BUILDERS.items()}


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A home with nothing in it, and no variables of other programs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in list(os.environ):
        if name.startswith(("HF_", "XDG_", "INVOKEAI_", "PAINTBRIDGE_", "APPDATA", "LOCALAPPDATA")):
            monkeypatch.delenv(name)
    return tmp_path


def tensors(*shapes: tuple[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    return {name: np.zeros(shape, np.float16) for name, shape in shapes}


def saved(path: Path, *shapes: tuple[str, tuple[int, ...]], **metadata: str) -> Path:
    save_file(tensors(*shapes), path, metadata=metadata or None)
    return path


def pair(down: str, width: int, out: int = 64, *, linear: bool = True) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """A layer that takes in `width` and gives `out` channels."""
    up = down.replace("lora_down", "lora_up").replace("lora_A", "lora_B").replace(".down.", ".up.")
    more = () if linear else (1, 1)
    return (down, (4, width, *more)), (up, (out, 4, *more))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("family", ["SD1", "SDXL"])
def test_every_naming_of_every_family(tiny, tmp_path, family, layout):
    path = build_tiny_lora(tiny[family], tmp_path / "ink.safetensors", layout=layout, rank=3)
    lora = inspect_lora(path)
    parts = ("unet", "text_encoder", "text_encoder_2") if family == "SDXL" else ("unet", "text_encoder")
    assert lora.id == "ink"
    assert lora.family.name == family
    assert lora.naming == {"original": "kohya"}.get(layout, layout.partition("-")[0])
    assert lora.rank == 3
    assert lora.parts == (("unet",) if layout == "peft" else parts)
    assert lora.hash == hashlib.sha256(path.read_bytes()).hexdigest()


_KOHYA_K = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
_ORIGINAL_K = "output_blocks.5.1.transformer_blocks.0.attn2.to_k"
_DIFFUSERS_K = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2"


@pytest.mark.parametrize(("width", "family"), [(768, "SD1"), (1024, "SD2"), (2048, "SDXL")])
@pytest.mark.parametrize(
    ("down", "up"),
    [
        (f"{_KOHYA_K}.lora_down.weight", f"{_KOHYA_K}.lora_up.weight"),
        (f"{_DIFFUSERS_K}.to_k.lora_A.weight", f"{_DIFFUSERS_K}.to_k.lora_B.weight"),
        (f"{_DIFFUSERS_K}.processor.to_k_lora.down.weight", f"{_DIFFUSERS_K}.processor.to_k_lora.up.weight"),
        (f"{_DIFFUSERS_K[5:]}.processor.to_k_lora.down.weight", f"{_DIFFUSERS_K[5:]}.processor.to_k_lora.up.weight"),
        (f"{_ORIGINAL_K}.lora_down.weight", f"{_ORIGINAL_K}.lora_up.weight"),
        (f"diffusion_model.{_ORIGINAL_K}.lora_down.weight", f"diffusion_model.{_ORIGINAL_K}.lora_up.weight"),
        (f"diffusion_model.{_ORIGINAL_K}.lora_A.weight", f"diffusion_model.{_ORIGINAL_K}.lora_B.weight"),
        (f"model.diffusion_model.{_ORIGINAL_K}.lora_A.weight", f"model.diffusion_model.{_ORIGINAL_K}.lora_B.weight"),
        (
            f"lora_unet_{_ORIGINAL_K.replace('.', '_')}.lora_down.weight",
            f"lora_unet_{_ORIGINAL_K.replace('.', '_')}.lora_up.weight",
        ),
        (
            f"base_model.model.{_ORIGINAL_K}.lora_A.default.weight",
            f"base_model.model.{_ORIGINAL_K}.lora_B.default.weight",
        ),
    ],
)
def test_the_family_by_what_the_cross_attention_takes_in(tmp_path, down, up, width, family):
    lora = inspect_lora(saved(tmp_path / "a.safetensors", (down, (8, width)), (up, (320, 8))))
    assert (lora.family.name, lora.rank, lora.parts) == (family, 8, ("unet",))


@pytest.mark.parametrize(
    ("module", "width", "metadata", "family"),
    [
        ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", 768, {}, "SD1"),
        ("lora_te_text_model_encoder_layers_0_self_attn_q_proj", 1024, {}, "SD2"),
        ("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", 768, {}, "SDXL"),
        ("lora_te2_text_model_encoder_layers_0_self_attn_q_proj", 1280, {}, "SDXL"),
        ("lora_unet_input_blocks_4_1_proj_in", 640, {}, "SDXL"),
        ("diffusion_model.input_blocks.4.1.transformer_blocks.1.attn1.to_q", 640, {}, "SDXL"),
        ("diffusion_model.label_emb.0.0", 2816, {}, "SDXL"),
        ("diffusion_model.input_blocks.1.1.proj_in", 320, {}, "SD1"),
        ("diffusion_model.input_blocks.1.1.proj_in", 320, {}, "SD2"),
        ("lora_unet_output_blocks_11_1_proj_out", 320, {}, "SD1"),
        ("text_encoders.clip_h.transformer.text_model.encoder.layers.0.self_attn.q_proj", 1024, {}, "SD2"),
        ("text_encoders.clip_g.transformer.text_model.encoder.layers.0.self_attn.q_proj", 1280, {}, "SDXL"),
        ("lora_unet_mid_block_attentions_0_proj_in", 640, {"ss_base_model_version": "sdxl_base_v1-0"}, "SDXL"),
        ("lora_unet_mid_block_attentions_0_proj_in", 640, {"ss_base_model_version": "sd_v2_768_v"}, "SD2"),
        (
            "lora_unet_mid_block_attentions_0_proj_in",
            640,
            {"modelspec.architecture": "stable-diffusion-v1/lora"},
            "SD1",
        ),
    ],
)
def test_the_family_of_those_without_cross_attention(tmp_path, module, width, metadata, family):
    shapes = pair(f"{module}.lora_down.weight", width, linear=family != "SD1")
    assert inspect_lora(saved(tmp_path / "a.safetensors", *shapes, **metadata)).family.name == family


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({}, ()),
        ({"modelspec.trigger_phrase": " inkwash , paper"}, ("inkwash", "paper")),
        ({"ss_tag_frequency": json.dumps({"10_ink": {"inkwash": 30, "hill": 12, "sky": 28}})}, ("inkwash", "sky")),
        ({"ss_tag_frequency": json.dumps({"a": {"x": 3}, "b": {"x": 3, "y": 4}})}, ("x",)),
        ({"ss_tag_frequency": json.dumps({"a": {"word" * 40: 1}})}, (("word" * 40)[:64],)),
        ({"ss_tag_frequency": "{"}, ()),
        ({"ss_tag_frequency": "[1]"}, ()),
        ({"ss_tag_frequency": '{"a": {"x": "many"}}'}, ()),
        ({"ss_tag_frequency": "{}"}, ()),
    ],
)
def test_trigger_words(tiny, tmp_path, metadata, words):
    path = build_tiny_lora(tiny["SD1"], tmp_path / "a.safetensors", metadata=metadata)
    assert inspect_lora(path).trigger_words == words


@pytest.mark.parametrize(("name", "title"), [("lcm-lora-sdv1-5", "LCM"), ("SDXL_Turbo_v1", "Turbo"), ("ink", None)])
def test_distilled_loras_say_what_they_want(tiny, tmp_path, name, title):
    found = inspect_lora(build_tiny_lora(tiny["SD1"], tmp_path / f"{name}.safetensors")).distillation
    assert (found and found.title) == title


_FOUND = (
    "lora_unet_mid_block_attentions_0_proj_in.lora_down.weight",
    "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight",
)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["lora_unet_x.diff"], "whole weights"),
        ([*_FOUND, "lora_unet_mid_block_attentions_0_proj_in.diff_b"], "whole weights"),
        ([*_FOUND, "lora_unet_mid_block_attentions_0_norm.w_norm"], "whole weights"),
        (["unet.x.lora_A.weight", "unet.x.lora_B.weight", "unet.x.lora_B.bias"], "biases"),
        (["base_model.model.text_model.embeddings.token_embedding.lora_embedding_A"], "embeddings of new words"),
        (["lora_unet_x.oft_blocks"], "an OFT"),
        (["lora_unet_x.a1.weight", "lora_unet_x.alpha", "lora_unet_y.lora_down.weight"], "a GLoRA"),
        (["down_blocks.0.motion_modules.0.lora_A.weight"], "motion LoRA"),
        (["lora_unet_x.lora_blend.weight"], "lora_unet_x.lora_blend.weight"),
        ([*_FOUND, "a.word"], "such as a.word"),
        ([*_FOUND, "lora_unet_mid_block_attentions_0_proj_in.lora_A.weight"], "such as lora_unet_mid_block"),
        ([*_FOUND, "bundle_emb.a"], "such as bundle_emb.a"),
        ([*_FOUND, "lora_unet_surprise.lora_down.weight", "lora_unet_surprise.lora_up.weight"], "such as surprise"),
        (
            ["lora_unet_x.lora_down.weight", "lora_unet_x.lora_up.weight"],
            "an architecture that Paintbridge does not know",
        ),
    ],
)
def test_other_kinds_and_what_is_not_known_are_refused_by_name(tmp_path, names, words):
    with pytest.raises(LoraUnsupported, match=words) as refused:
        inspect_lora(saved(tmp_path / "a.safetensors", *((name, (4, 4)) for name in names)))
    assert not isinstance(refused.value, NotALora)


@pytest.mark.parametrize(
    ("module", "width", "out", "title"),
    [
        ("diffusion_model.double_blocks.0.img_attn.qkv", 6144, 18432, "Flux 2 dev"),
        ("diffusion_model.single_blocks.0.linear1", 6144, 55296, "Flux 2 dev"),
        ("double_blocks.0.processor.qkv_lora1", 3072, 64, "Flux 1 in XLabs' form"),
        ("transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj", 6144, 64, "Flux 2 dev"),
        ("transformer.transformer_blocks.0.ff.linear_out", 18432, 6144, "Flux 2 dev"),
        ("lora_unet_distilled_guidance_layer_layers_0_in_layer", 5120, 64, "Chroma"),
        ("lora_unet_double_blocks_0_img_mlp_fc1", 3072, 64, "HunyuanVideo"),
        ("lora_unet_joint_blocks_0_x_block_attn_qkv", 1536, 4608, "Stable Diffusion 3"),
        ("transformer.transformer_blocks.0.attn.add_q_proj", 1536, 1536, "Stable Diffusion 3"),
        ("transformer.transformer_blocks.59.attn.add_q_proj", 3072, 3072, "Qwen-Image"),
        ("lora_unet_transformer_blocks_0_img_mlp_net_0_proj", 3072, 64, "Qwen-Image"),
        ("diffusion_model.layers.0.attention.qkv", 2304, 64, "Lumina 2"),
        ("diffusion_model.blocks.0.self_attn.q", 1536, 64, "Wan"),
        ("lora_unet_blocks_0_cross_attn_k", 5120, 64, "Wan"),
        ("transformer.blocks.0.attn1.to_q", 5120, 64, "Wan"),
        ("diffusion_model.blocks.0.self_attn.q_proj", 2048, 64, "Anima or Cosmos"),
        ("diffusion_model.blocks.0.attn.wq", 6144, 64, "Krea 2"),
        ("diffusion_model.double_stream_blocks.0.block.attn1.to_q", 2560, 64, "HiDream"),
        ("lora_prior_unet_x", 2048, 64, "Stable Cascade"),
        ("transformer.transformer_blocks.0.attn1.to_q", 2048, 64, "another architecture"),
        ("base_model.model.model.layers.0.self_attn.q_proj", 4096, 64, "a language model"),
    ],
)
def test_other_architectures_are_called_by_their_names(tmp_path, module, width, out, title):
    down = f"{module}.down.weight" if module.endswith("lora1") else f"{module}.lora_A.weight"
    with pytest.raises(LoraUnsupported, match=f"for {title}, "):
        inspect_lora(saved(tmp_path / "a.safetensors", *pair(down, width, out)))


@pytest.mark.parametrize(
    ("module", "width", "out", "family"),
    [
        ("diffusion_model.single_blocks.0.linear1", 3072, 27648, "Flux2Klein4B"),
        ("lora_unet_double_blocks_0_txt_mlp_0", 3072, 18432, "Flux2Klein4B"),
        ("diffusion_model.double_blocks.7.img_attn.qkv", 4096, 12288, "Flux2Klein9B"),
        ("transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj", 3072, 27648, "Flux2Klein4B"),
        ("transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj", 4096, 36864, "Flux2Klein9B"),
        ("transformer.transformer_blocks.0.ff.linear_in", 3072, 18432, "Flux2Klein4B"),
        ("transformer.transformer_blocks.0.ff.linear_out", 12288, 4096, "Flux2Klein9B"),
        ("base_model.model.transformer_blocks.4.attn.to_q", 3072, 3072, "Flux2Klein4B"),
        ("transformer.transformer_blocks.0.attn.add_k_proj", 4096, 4096, "Flux2Klein9B"),
        ("lora_unet_double_blocks_0_img_attn_qkv", 3072, 9216, "Flux1"),
        ("lora_unet_double_blocks_18_img_attn_qkv", 3072, 9216, "Flux1"),
        ("lora_unet_single_blocks_0_linear1", 3072, 21504, "Flux1"),
        ("transformer.single_transformer_blocks.0.proj_mlp", 3072, 12288, "Flux1"),
        ("lora_transformer_single_transformer_blocks_0_attn_to_q", 3072, 3072, "Flux1"),
        ("diffusion_model.layers.0.attention.qkv", 3840, 64, "ZImage"),
        ("transformer.layers.0.attention.to_q", 3840, 64, "ZImage"),
    ],
)
def test_families_of_transformers_are_told_by_their_layers_and_widths(tmp_path, module, width, out, family):
    lora = inspect_lora(saved(tmp_path / "turbo.safetensors", *pair(f"{module}.lora_A.weight", width, out)))
    assert lora.family.name == family
    assert lora.parts == ("transformer",)
    assert lora.distillation is None


def test_clip_of_another_architecture_is_told_by_what_the_trainer_says(tmp_path):
    layer = pair("lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight", 768, 768)
    said = {title: {"modelspec.architecture": f"{title}/lora"} for title in ("flux-1-dev", "stable-diffusion-3")}
    path = saved(tmp_path / "a.safetensors", *layer, **said["flux-1-dev"])
    assert inspect_lora(path).family.name == "Flux1"
    with pytest.raises(LoraUnsupported, match="for Stable Diffusion 3, "):
        inspect_lora(saved(tmp_path / "b.safetensors", *layer, **said["stable-diffusion-3"]))


def test_alphas_that_are_left_of_other_layers_mean_nothing(tmp_path):
    path = saved(tmp_path / "a.safetensors", *((name, (4, 4)) for name in _FOUND), ("lora_unet_gone.alpha", ()))
    assert inspect_lora(path).parts == ("unet",)


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([(4, 640), (64, 8)], "damaged"),
        ([(4, 640), (64, 4, 3, 3)], "damaged"),
        ([(640,), (64, 4)], "damaged"),
        ([(4, 640)], "incomplete"),
    ],
)
def test_tensors_that_do_not_fit_each_other_are_damage(tmp_path, shapes, words):
    with pytest.raises(LoraUnreadable, match=words):
        inspect_lora(saved(tmp_path / "a.safetensors", *zip(_FOUND, shapes, strict=False)))


def test_numbers_that_are_no_floats_are_refused_by_name(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({name: np.zeros((4, 4), np.int8) for name in _FOUND}, path)
    with pytest.raises(LoraUnsupported, match="kind I8"):
        inspect_lora(path)


@pytest.mark.parametrize(
    ("setting", "refused"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"init_lora_weights": "gaussian"}, None),
        ({"bias": "all"}, "bias"),
        ({"bias": "none"}, None),
        ({"modules_to_save": ["conv_in"]}, "modules_to_save"),
        ({"of_the_future": 3}, "of_the_future"),
        ({"of_the_future": False, "target_modules": ["to_q"], "use_rslora": True}, None),
    ],
)
def test_peft_settings_are_heeded_or_refused_by_name(tmp_path, setting, refused):
    said = {"r": 4, "lora_alpha": 4, **setting}
    header = {"lora_adapter_metadata": json.dumps({f"unet.{name}": value for name, value in said.items()})}
    layer = pair("unet.mid_block.attentions.0.proj_in.lora_A.weight", 64)
    in_header = saved(tmp_path / "a.safetensors", *layer, **header)
    layer = pair("base_model.model.mid_block.attentions.0.proj_in.lora_A.weight", 64)
    beside = saved(tmp_path / "adapter_model.safetensors", *layer)
    (tmp_path / "adapter_config.json").write_text(json.dumps(said))
    for path in (in_header, beside):
        if refused is None:
            assert inspect_lora(path).family.name == "SD1"
        else:
            with pytest.raises(LoraUnsupported, match=refused):
                inspect_lora(path)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"lora_alpha": "much"}', '{"alpha_pattern": {"(": 2}}', '{"alpha_pattern": 3}']
)
def test_settings_that_make_no_sense_are_told(tmp_path, text):
    layer = pair("base_model.model.mid_block.attentions.0.proj_in.lora_A.weight", 64)
    path = saved(tmp_path / "adapter_model.safetensors", *layer)
    (tmp_path / "adapter_config.json").write_text(text)
    with pytest.raises(LoraUnreadable):
        inspect_lora(path)


def test_what_is_no_lora_is_told(tmp_path):
    with pytest.raises(NotALora):
        inspect_lora(saved(tmp_path / "a.safetensors", ("model.diffusion_model.input_blocks.0.0.weight", (4, 4, 3, 3))))


def test_broken_files_are_told(tiny, tmp_path):
    whole = build_tiny_lora(tiny["SD1"], tmp_path / "a.safetensors").read_bytes()
    for content, words in ((whole[:-5], "truncated"), (whole[:100], "truncated"), (b"words", "neither safetensors")):
        (tmp_path / "b.safetensors").write_bytes(content)
        with pytest.raises(LoraUnreadable, match=words):
            inspect_lora(tmp_path / "b.safetensors")
    half = saved(tmp_path / "c.safetensors", (f"{_KOHYA_K}.lora_down.weight", (4, 768)))
    with pytest.raises(LoraUnreadable, match="incomplete"):
        inspect_lora(half)


@pytest.mark.parametrize("name", ["a.safetensors", "a.pt", "a.ckpt"])
@pytest.mark.parametrize("start", [b"PK\x03\x04" + bytes(64), b"\x80\x02}q\x00" + bytes(64)])
def test_a_pickle_under_any_name_is_refused(tmp_path, name, start):
    (tmp_path / name).write_bytes(start)
    with pytest.raises(LoraUnreadable, match="pickle") as refused:
        inspect_lora(tmp_path / name)
    assert "safetensors" in refused.value.hint


def test_other_programs_folders_are_looked_into(user, tiny):
    places = {
        "own": user / ".paintbridge" / "models" / "loras" / "deeper",
        "comfy": user / "ComfyUI" / "models" / "loras",
        "krita": user / ".local" / "share" / "krita" / "ai_diffusion" / "server" / "ComfyUI" / "models" / "loras",
        "webui": user / "stable-diffusion-webui" / "models" / "Lora",
        "lycoris": user / "stable-diffusion-webui" / "models" / "LyCORIS",
        "forge": user / "stable-diffusion-webui-forge" / "models" / "Lora",
        "invoke": user / "invokeai" / "models" / "sd-1" / "lora",
        "newer": user / "invokeai" / "models" / UUID,
        "told": user / "shared" / "loras",
    }
    for name, folder in places.items():
        build_tiny_lora(tiny["SD1"], folder / f"{name}.safetensors", parts=("text_encoder",))
    (user / "ComfyUI" / "extra_model_paths.yaml").write_text(f"a:\n    base_path: {user}/shared\n    loras: loras\n")
    # InvokeAI keeps all kinds of things side by side.
    saved(places["newer"] / "vae.safetensors", ("encoder.conv_in.weight", (4, 4, 3, 3)))
    saved(places["comfy"] / "vae.safetensors", ("encoder.conv_in.weight", (4, 4, 3, 3)))
    (places["webui"] / "old.pt").write_bytes(b"\x80")
    entries = {entry.name: entry.program for entry in LoraRegistry().entries()}
    assert {name: entries.pop(name) for name in places} == {
        "own": "Paintbridge",
        "comfy": "ComfyUI",
        "krita": "Krita AI Diffusion",
        "webui": "Stable Diffusion WebUI",
        "lycoris": "Stable Diffusion WebUI",
        "forge": "Forge",
        "invoke": "InvokeAI",
        "newer": "InvokeAI",
        "told": "ComfyUI",
    }
    assert entries == {"vae": "ComfyUI", "old.pt": "Stable Diffusion WebUI"}
    assert {lora.id for lora in LoraRegistry().list()} == places.keys()
    assert Registry().problems() == {}


def test_files_that_diffusers_and_peft_name_all_alike_go_by_their_folder(user, tiny):
    hub = user / ".cache" / "huggingface" / "hub" / "models--somebody--lcm-ink"
    (hub / "refs").mkdir(parents=True)
    (hub / "refs" / "main").write_text("a" * 40)
    build_tiny_lora(tiny["SD1"], hub / "snapshots" / ("a" * 40) / "pytorch_lora_weights.safetensors")
    own = user / ".paintbridge" / "models" / "loras"
    build_tiny_lora(tiny["SD1"], own / "mine" / "adapter_model.safetensors", layout="peft")
    (own / "mine" / "adapter_config.json").write_text('{"r": 4, "lora_alpha": 8}')
    found = {lora.id: lora for lora in LoraRegistry().list()}
    assert found.keys() == {"mine", "lcm-ink"}
    assert found["lcm-ink"].distillation.title == "LCM"
    before = found["mine"].hash
    (own / "mine" / "adapter_config.json").write_text('{"r": 4, "lora_alpha": 2}')
    assert inspect_lora(own / "mine" / "adapter_model.safetensors").hash != before


def test_found_by_name(user, tiny):
    folder = user / ".paintbridge" / "models" / "loras"
    for name in ("InkWash", "inkdrop", "oil"):
        build_tiny_lora(tiny["SD1"], folder / f"{name}.safetensors", parts=("text_encoder",))
    (folder / "broken.safetensors").write_bytes(b"x")
    known = LoraRegistry()
    assert known.find("InkWash").path.name == "InkWash.safetensors"
    assert known.find("inkwash").id == "InkWash"
    assert known.find("oil.safetensors").id == "oil"
    with pytest.raises(LoraUnknown, match="'inkwsh'") as unknown:
        known.find("inkwsh")
    assert "InkWash" in unknown.value.hint
    assert "oil" not in unknown.value.hint
    with pytest.raises(LoraUnknown) as unknown:
        known.find("watercolour")
    assert "InkWash, inkdrop, oil" in unknown.value.hint
    with pytest.raises(LoraUnreadable):
        known.find("broken")
    shutil.copy(folder / "oil.safetensors", folder / "new.safetensors")
    assert known.find("new").id == "new"


def test_found_in_whatever_form_its_name_is_written(user, tiny):
    nfc, nfd = (unicodedata.normalize(form, "Café Đà Nẵng") for form in ("NFC", "NFD"))
    build_tiny_lora(tiny["SD1"], user / ".paintbridge" / "models" / "loras" / f"{nfd}.safetensors")
    known = LoraRegistry()
    assert [lora.id for lora in known.list()] == [nfc]
    assert {known.find(name).id for name in (nfc, nfd, f"{nfd.upper()}", f"{nfd}.safetensors")} == {nfc}
    assert take_loras(f"<lora:{nfc}:0.5><lora:{nfd}:0.25>")[1] == (NamedLora(nfc, 0.75),)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
def test_a_name_that_is_not_utf8_is_told_and_harms_no_other(user, tiny):
    folder = user / ".paintbridge" / "models" / "loras"
    path = build_tiny_lora(tiny["SD1"], folder / "ink.safetensors")
    shutil.copyfile(path, os.fsdecode(bytes(folder) + b"/caf\xe9.safetensors"))
    known = LoraRegistry()
    assert [lora.id for lora in known.list()] == ["ink"]
    [odd] = [entry for entry in known.entries() if entry.name != "ink"]
    odd.name.encode()
    assert "not UTF-8" in odd.found.message
    odd.found.message.encode()
    with pytest.raises(ModelsError, match="not UTF-8"):
        known.find(odd.name)


def test_nothing_there(user):
    with pytest.raises(LoraUnknown) as unknown:
        LoraRegistry().find("ink")
    assert str(user / ".paintbridge" / "models" / "loras") in unknown.value.hint


def test_only_the_checkpoints_own_family_fits(user, tiny):
    folder = user / ".paintbridge" / "models" / "loras"
    for family in ("SD1", "SDXL"):
        build_tiny_lora(tiny[family], folder / f"{family}.safetensors")
    known = LoraRegistry()
    assert known.fitting(["sd1"], inspect(tiny["SD1"]))["sd1"].id == "SD1"
    with pytest.raises(LoraUnsupported, match="made for Stable Diffusion XL, but SD1 is Stable Diffusion 1"):
        known.fitting(["SD1", "SDXL"], inspect(tiny["SD1"]))


def test_added_ones_have_a_list_of_their_own(user, tiny, tmp_path):
    path = build_tiny_lora(tiny["SD1"], tmp_path / "elsewhere" / "ink.safetensors")
    write_registered([tiny["SD1"]])
    write_registered([path], "lora")
    assert read_registered() == (tiny["SD1"],)
    assert read_registered("lora") == (path,)
    assert [entry.registered for entry in LoraRegistry().entries()] == [path]
    assert "ink" not in [entry.name for entry in Registry().entries()]


def test_a_folder_of_the_settings_may_hold_loras(user, tiny, tmp_path):
    build_tiny_lora(tiny["SD1"], tmp_path / "disk" / "loras" / "ink.safetensors")
    assert [lora.id for lora in LoraRegistry([tmp_path / "disk"]).list()] == ["ink"]


def test_one_that_is_gone_since_it_was_listed_is_told(tiny, tmp_path):
    lora = inspect_lora(build_tiny_lora(tiny["SD1"], tmp_path / "ink.safetensors"))
    lora.path.unlink()
    with pytest.raises(LoraUnreadable, match="cannot be read"):
        lora.content()
