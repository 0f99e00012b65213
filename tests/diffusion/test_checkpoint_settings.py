"""Checkpoint settings as they are painted with: another VAE, another layer of the text encoder, another prediction."""

import shutil
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from single_files import save_single_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl

from bridge.diffusion import ModelCache, load
from bridge.models import CheckpointUnsupported, inspect
from bridge.models.checkpoint_settings import with_settings

BUILDERS = {"SD1": build_tiny_sd1, "SD2": build_tiny_sd2, "SDXL": build_tiny_sdxl}


def none():
    pass


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A tiny checkpoint of each family, and others of other weights."""
    root = tmp_path_factory.mktemp("built")
    plain = {family: build(root / family, inpaint=False) for family, build in BUILDERS.items()}
    others = {
        f"other {name}": BUILDERS[name](root / f"other {name}", inpaint=False, seed=3) for name in ("SD1", "SDXL")
    }
    return plain | others


@pytest.mark.parametrize(
    ("family", "layout"),
    [
        *(("SD1", layout) for layout in ("folder", "original", "diffusers", "old diffusers", "fp8")),
        ("SDXL", "original"),
    ],
)
def test_another_vae_takes_the_place_of_its_own(tmp_path, built, cpu, family, layout):
    folder = shutil.copytree(built[family], tmp_path / "folder")
    file = save_single_file(folder, tmp_path / "file.safetensors")
    other = shutil.copytree(built[f"other {family}"], tmp_path / "other")
    expected = load(inspect(other), cpu, check=none).vae.state_dict()
    vae = other / "vae"
    if layout == "original":
        whole = load_file(save_single_file(other, tmp_path / "whole.safetensors"))
        own = {name.removeprefix("first_stage_model."): one for name, one in whole.items() if "first_stage" in name}
        vae = tmp_path / "vae.safetensors"
        save_file(own, vae)
    elif layout != "folder":
        tensors = load_file(vae / "diffusion_pytorch_model.safetensors")
        vae = tmp_path / "vae.safetensors"
        if layout == "old diffusers":
            for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
                tensors = {name.replace(new, old): one for name, one in tensors.items()}
        if layout == "fp8":
            tensors = {name: one.to(torch.float8_e4m3fn) for name, one in tensors.items()}
            expected = {name: one.to(torch.float8_e4m3fn).float() for name, one in expected.items()}
        save_file(tensors, vae)
    for path in (folder, file):
        checkpoint = with_settings(inspect(path), {path.stem: {"vae": str(vae)}})
        components = load(checkpoint, cpu, check=none)
        found = components.vae.state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in found)
        assert components.vae.config.scaling_factor == pytest.approx(checkpoint.family.scaling_factor)


def test_two_vaes_are_two_checkpoints_in_memory(built, cpu):
    cache = ModelCache(cpu)
    plain = inspect(built["SD1"])
    told = with_settings(plain, {"SD1": {"vae": str(built["other SD1"])}})
    latents = torch.ones(1, 4, 8, 8)
    pictures = [cache.get(one, check=none).decode(latents) for one in (plain, told, plain)]
    assert (pictures[0] == pictures[2]).all()
    assert (pictures[0] != pictures[1]).any()


def deep(folder, part, layers=4):
    """Gives a tiny checkpoint's text encoder more layers than two."""
    import transformers

    kind = transformers.CLIPTextModelWithProjection if part == "text_encoder_2" else transformers.CLIPTextModel
    config = transformers.CLIPTextConfig.from_pretrained(folder / part)
    config.num_hidden_layers = layers
    torch.manual_seed(5)
    shutil.rmtree(folder / part)
    kind(config).save_pretrained(folder / part)


@pytest.mark.parametrize(("family", "clip_skip"), [("SD1", 1), ("SD2", 2), ("SD2", 1)])
def test_the_familys_layer_changes_nothing(built, cpu, family, clip_skip):
    checkpoint = inspect(built[family])
    told = with_settings(checkpoint, {family: {"clip_skip": clip_skip}})
    one, other = (
        load(found, cpu, check=none).encode_prompts("a red flower", "").positive for found in (checkpoint, told)
    )
    assert torch.equal(one.embeds, other.embeds)


@pytest.mark.parametrize("clip_skip", [2, 3])
def test_clip_skip_reads_the_layer_that_the_webui_and_diffusers_read(tmp_path, built, cpu, clip_skip):
    """SD1: the hidden states so many layers from the end, through the final norm; diffusers counts from 0."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    folder = shutil.copytree(built["SD1"], tmp_path / "folder")
    deep(folder, "text_encoder")
    components = load(with_settings(inspect(folder), {"folder": {"clip_skip": clip_skip}}), cpu, check=none)
    found = components.encode_prompts("a red flower", "").positive
    # Where the pipeline looks for the norm, which transformers has moved since.
    norm = SimpleNamespace(final_layer_norm=components.modules["text_encoder"].final_layer_norm)
    object.__setattr__(components.modules["text_encoder"], "text_model", norm)
    pipeline = StableDiffusionPipeline(
        components.vae,
        components.modules["text_encoder"],
        components.text_encoders[0].tokenizer,
        components.unet,
        DDIMScheduler(steps_offset=1, clip_sample=False),
        None,
        None,
        requires_safety_checker=False,
    )
    wanted, _ = pipeline.encode_prompt("a red flower", "cpu", 1, False, clip_skip=clip_skip - 1)
    assert torch.allclose(found.embeds, wanted, atol=1e-6)


@pytest.mark.parametrize("clip_skip", [1, 2, 3])
def test_clip_skip_of_sdxl_counts_its_penultimate_as_two(tmp_path, built, cpu, clip_skip):
    from diffusers import DDIMScheduler, StableDiffusionXLPipeline

    folder = shutil.copytree(built["SDXL"], tmp_path / "folder")
    for part in ("text_encoder", "text_encoder_2"):
        deep(folder, part)
    components = load(with_settings(inspect(folder), {"folder": {"clip_skip": clip_skip}}), cpu, check=none)
    pipeline = StableDiffusionXLPipeline(
        components.vae,
        components.modules["text_encoder"],
        components.modules["text_encoder_2"],
        components.text_encoders[0].tokenizer,
        components.text_encoders[1].tokenizer,
        components.unet,
        DDIMScheduler(steps_offset=1, clip_sample=False),
        add_watermarker=False,
    )
    # The WebUI reads the penultimate layer for 1 as for 2; diffusers counts on from there.
    theirs = None if clip_skip <= 2 else clip_skip - 2
    wanted, _, pooled, _ = pipeline.encode_prompt(
        "a red flower", device="cpu", do_classifier_free_guidance=False, clip_skip=theirs
    )
    found = components.encode_prompts("a red flower", "").positive
    assert torch.allclose(found.embeds, wanted, atol=1e-6)
    assert torch.allclose(found.pooled, pooled, atol=1e-6)


def test_a_layer_that_there_is_not_is_refused(built, cpu):
    checkpoint = inspect(built["SD1"])
    with pytest.raises(CheckpointUnsupported, match="clip_skip 5, but a text encoder of 2 layers"):
        load(with_settings(checkpoint, {"SD1": {"clip_skip": 5}}), cpu, check=none)


@pytest.mark.parametrize("layout", ["folder", "file"])
def test_the_schedule_is_as_told(tmp_path, built, cpu, layout):
    path = built["SD1"]
    if layout != "folder":
        path = save_single_file(path, tmp_path / "file.safetensors")
    told = {path.stem: {"prediction": "v_prediction", "zero_terminal_snr": True}}
    components = load(with_settings(inspect(path), told), cpu, check=none)
    config = components.scheduler_config
    assert (config["prediction_type"], config["rescale_betas_zero_snr"]) == ("v_prediction", True)
    plain = load(inspect(path), cpu, check=none).scheduler_config
    assert (plain["prediction_type"], bool(plain["rescale_betas_zero_snr"])) == ("epsilon", False)
