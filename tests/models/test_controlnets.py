"""ControlNets on disk: told by content and name, found in every location, chosen by kind, refused in words."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from accelerate import init_empty_weights
from diffusers import ControlNetModel
from safetensors.torch import load_file, save_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl
from tiny_controlnets import build_tiny_controlnet, save_original_controlnet, save_single_controlnet

from bridge.models import (
    CheckpointUnreadable,
    ConditionUnsupported,
    ControlNetRegistry,
    Registry,
    inspect,
    inspect_controlnet,
)
from bridge.models.controlnet import ControlNet, fits
from bridge.models.controlnets import condition_kinds
from bridge.models.single_file import CONFIGS

BUILDS = {"SD1": build_tiny_sd1, "SD2": build_tiny_sd2, "SDXL": build_tiny_sdxl}


def kinds(registry, checkpoint):
    return condition_kinds(
        (entry.found for entry in registry.entries() if isinstance(entry.found, ControlNet)), checkpoint
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny checkpoint of each family and a ControlNet for it, as folders."""
    root = tmp_path_factory.mktemp("controlnets")
    checkpoints = {name: build(root / name / "checkpoint", inpaint=False) for name, build in BUILDS.items()}
    return {name: (path, build_tiny_controlnet(path, root / name / "net")) for name, path in checkpoints.items()}


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "models" / "controlnet"
    folder.mkdir(parents=True)
    return folder


# SDXL's are published in diffusers' layout alone.
LAYOUTS = [(family, layout) for family in BUILDS for layout in ("folder", "file", "original")][:-1]


@pytest.mark.parametrize(("family", "layout"), LAYOUTS)
def test_the_family_is_told_by_content(made, tmp_path, family, layout):
    checkpoint, folder = made[family]
    if layout != "folder":
        save = save_single_controlnet if layout == "file" else save_original_controlnet
        folder = save(folder, tmp_path / "anything.safetensors")
    net = inspect_controlnet(folder)
    assert net.family.name == family
    assert fits(net, inspect(checkpoint))
    assert [other for other, (path, _) in made.items() if fits(net, inspect(path))] == [family]
    assert len(net.hash) == 64


@pytest.mark.parametrize(
    ("family", "width", "weights"),
    [("SD1", 768, 361_279_120), ("SD2", 1024, 364_228_240), ("SDXL", 2048, 1_251_014_160)],
)
def test_the_families_configs_are_those_of_their_unets(family, width, weights):
    net, unet = (json.loads((CONFIGS / family / part / "config.json").read_text()) for part in ("controlnet", "unet"))
    assert net["cross_attention_dim"] == width
    # What the published ones have.
    with init_empty_weights():
        empty = ControlNetModel.from_config(net)
    assert sum(weight.numel() for weight in empty.parameters()) == weights
    shared = set(net) & set(unet) - {"_class_name"}
    assert {name: net[name] for name in shared} == {name: unet[name] for name in shared}


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("control_v11p_sd15_scribble", "scribble"),
        ("control_v11p_sd15_scribble_fp16", "scribble"),
        ("controlnet-scribble-sdxl-1.0", "scribble"),
        ("control_v11p_sd15_seg", "label_map"),
        ("sdxl_segmentation_controlnet_ade20k", "label_map"),
        ("control_v11p_sd15_canny", "canny"),
        ("control_v11f1p_sd15_depth", "depth"),
        ("controlnet-depth-sdxl-1.0", "depth"),
        ("control_v11p_sd15_normalbae", "normal"),
        ("control_v11p_sd15_openpose", "pose"),
        ("control_sd15_animal_openpose", None),
        ("control_v11p_sd15_softedge", "soft_edge"),
        ("control_v11p_sd15s2_lineart_anime", "line_art"),
        ("mistoLine_fp16", "line_art"),
        ("control_v11f1e_sd15_tile", "blur"),
        ("control_v11p_sd15_inpaint", None),
        ("control_v11p_sd15_mlsd", None),
        ("segment", None),
        ("mynet", None),
    ],
)
def test_what_its_pictures_mean_is_told_by_its_name(made, tmp_path, name, condition):
    _, folder = made["SD1"]
    assert inspect_controlnet(Path(shutil.copytree(folder, tmp_path / name))).conditions == (
        (condition,) if condition else ()
    )
    file = save_single_controlnet(folder, tmp_path / f"{name}.safetensors")
    assert inspect_controlnet(file).conditions == ((condition,) if condition else ())
    # As the weights of many are called; as the Hugging Face cache files them.
    whole = tmp_path / "other" / name
    whole.mkdir(parents=True)
    shutil.copy(file, whole / "diffusion_pytorch_model.safetensors")
    assert inspect_controlnet(whole / "diffusion_pytorch_model.safetensors").conditions == (
        (condition,) if condition else ()
    )
    snapshot = tmp_path / f"models--someone--{name}" / "snapshots" / "0123abcd"
    shutil.copytree(folder, snapshot)
    assert inspect_controlnet(snapshot).conditions == ((condition,) if condition else ())


def test_it_is_told_by_what_its_trainer_wrote_down(made, tmp_path):
    folder = Path(shutil.copytree(made["SD1"][1], tmp_path / "mine"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "_name_or_path": "out/my_scribble"}))
    assert inspect_controlnet(folder).conditions == ("scribble",)
    tensors = load_file(folder / "diffusion_pytorch_model.safetensors")
    save_file(tensors, tmp_path / "b.safetensors", metadata={"modelspec.title": "Segmentation for all"})
    assert inspect_controlnet(tmp_path / "b.safetensors").conditions == ("label_map",)


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        ("lllite_unet_input_blocks_1_0.conditioning1.0.weight", "LLLite"),
        ("lora_controlnet", "Control-LoRA"),
        ("adapter.body.0.block1.weight", "T2I-Adapter"),
        ("image_proj.proj.weight", "IP-Adapter"),
        ("conv_in.weight", "not a ControlNet"),
    ],
)
def test_what_lies_beside_them_is_named(tmp_path, tensor, words):
    save_file({tensor: torch.zeros(2, 2)}, tmp_path / "it_scribble.safetensors")
    with pytest.raises(ConditionUnsupported, match=words):
        inspect_controlnet(tmp_path / "it_scribble.safetensors")


def test_pickles_and_broken_files_are_refused(made, tmp_path):
    file = save_single_controlnet(made["SD1"][1], tmp_path / "a_scribble.safetensors")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointUnreadable, match="truncated"):
        inspect_controlnet(file)
    (tmp_path / "b.safetensors").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(CheckpointUnreadable, match="pickle"):
        inspect_controlnet(tmp_path / "b.safetensors")
    folder = Path(shutil.copytree(made["SD1"][1], tmp_path / "c_scribble"))
    (folder / "diffusion_pytorch_model.safetensors").rename(folder / "diffusion_pytorch_model.bin")
    with pytest.raises(CheckpointUnreadable, match="pickle"):
        inspect_controlnet(folder)


def test_the_right_one_is_chosen_and_what_lacks_is_said(made, place):
    sd1, sdxl = (inspect(made[name][0]) for name in ("SD1", "SDXL"))
    registry = ControlNetRegistry()
    assert kinds(registry, sd1) == ()
    with pytest.raises(ConditionUnsupported) as lacking:
        registry.choose("scribble", sd1)
    assert "no ControlNet" in lacking.value.message
    assert "lllyasviel/control_v11p_sd15_scribble" in lacking.value.hint
    assert str(place) in lacking.value.hint
    shutil.copytree(made["SD1"][1], place / "b_scribble")
    save_single_controlnet(made["SD1"][1], place / "a" / "a_scribble.safetensors")
    save_single_controlnet(made["SDXL"][1], place / "sdxl_seg.safetensors")
    # What has just been put there is seen at once.
    assert registry.choose("scribble", sd1).id == "a_scribble"
    assert registry.choose("scribble", sd1, "b_scribble").id == "b_scribble"
    assert registry.choose("label_map", sdxl).id == "sdxl_seg"
    assert (kinds(registry, sd1), kinds(registry, sdxl)) == (("scribble",), ("label_map",))
    for kind, name, words in (
        ("label_map", None, "There is sdxl_seg, but for Stable Diffusion XL"),
        ("scribble", "sdxl_seg", "was made for Stable Diffusion XL"),
        ("scribble", "nobody", "no ControlNet named 'nobody'"),
        ("dream", None, "cannot be guided by a dream yet"),
    ):
        with pytest.raises(ConditionUnsupported, match=words) as refused:
            registry.choose(kind, sd1, name)
        assert refused.value.hint


def test_one_of_another_size_does_not_fit_although_the_family_does(made, tmp_path):
    config = made["SD1"][1] / "config.json"
    folder = Path(shutil.copytree(made["SD1"][1], tmp_path / "wide_scribble"))
    said = {**json.loads(config.read_text()), "block_out_channels": [320, 640]}
    (folder / "config.json").write_text(json.dumps(said))
    assert not fits(inspect_controlnet(folder), inspect(made["SD1"][0]))


def test_those_of_other_programs_are_found(made, place, tmp_path, monkeypatch):
    home = tmp_path / "user"
    for variable in ("HF_HOME", "HF_HUB_CACHE", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "INVOKEAI_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(home))
    folder = made["SD1"][1]
    save_single_controlnet(folder, home / "ComfyUI" / "models" / "controlnet" / "comfy_scribble.safetensors")
    save_single_controlnet(folder, home / "stable-diffusion-webui" / "models" / "ControlNet" / "webui_seg.safetensors")
    server = home / ".local" / "share" / "krita" / "ai_diffusion" / "server" / "ComfyUI"
    save_single_controlnet(folder, server / "models" / "controlnet" / "krita_scribble.safetensors")
    shutil.copytree(folder, home / "invokeai" / "models" / "sd-1" / "controlnet" / "invoke_scribble")
    snapshot = home / ".cache" / "huggingface" / "hub" / "models--me--hub_scribble" / "snapshots" / "abc"
    shutil.copytree(folder, snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    checkpoint = inspect(made["SD1"][0])
    # Other parts of other checkpoints in the same locations are not listed.
    other = home / ".cache" / "huggingface" / "hub" / "models--me--vae" / "snapshots" / "abc"
    other.mkdir(parents=True)
    (other / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKL"}))
    assert not [entry for entry in ControlNetRegistry().entries() if "vae" in entry.name]
    usable = {
        entry.name: entry.program for entry in ControlNetRegistry().entries() if getattr(entry.found, "family", None)
    }
    assert usable == {
        "krita_scribble": "Krita AI Diffusion",
        "comfy_scribble": "ComfyUI",
        "webui_seg": "Stable Diffusion WebUI",
        "invoke_scribble": "InvokeAI",
        "hub_scribble": "Hugging Face cache",
    }
    assert kinds(ControlNetRegistry(), checkpoint) == ("label_map", "scribble")


def test_among_checkpoints_one_is_told_where_it_belongs(made, tmp_path):
    save_single_controlnet(made["SD1"][1], tmp_path / "x_scribble.safetensors")
    problem = Registry([tmp_path]).problems()["x_scribble.safetensors"]
    assert "a ControlNet, not a checkpoint" in problem.message
    assert "folder controlnet" in problem.hint
