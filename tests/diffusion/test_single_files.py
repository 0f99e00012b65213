"""Single files: what is loaded from them is what the same checkpoint's folder holds, tensor by tensor."""

import json
import shutil

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from sharded import shard
from single_files import save_single_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl

from bridge.diffusion import DenoiseInputs, denoise, load
from bridge.diffusion.architectures.unet import part_classes
from bridge.diffusion.text_encoders.clip import clip_tokenizer
from bridge.diffusion.weights import weights_of
from bridge.models import FAMILIES, CheckpointUnreadable, CheckpointUnsupported, inspect
from bridge.models.single_file import CONFIGS

BUILDERS = {"SD1": build_tiny_sd1, "SD2": build_tiny_sd2, "SDXL": build_tiny_sdxl}
# Of the published checkpoints: CompVis 2022, Stability AI 2022, Podell et al. 2023.
PARAMETERS = {
    "SD1": {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    "SD2": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "SDXL": {
        "unet": 2_567_463_684,
        "vae": 83_653_863,
        "text_encoder": 123_060_480,
        "text_encoder_2": 694_659_840,
    },
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A tiny checkpoint of each family, to be copied."""
    root = tmp_path_factory.mktemp("built")
    return {family: build(root / family, inpaint=False) for family, build in BUILDERS.items()}


@pytest.fixture
def copy_of(built, tmp_path):
    return lambda family: shutil.copytree(built[family], tmp_path / "folder")


def same(one, other, tolerance=0.0):
    """Whether two loaded checkpoints hold the same tensors and tokenize alike."""
    for part in one.checkpoint.family.weighted_parts:
        left, right = one.modules[part].state_dict(), other.modules[part].state_dict()
        assert left.keys() == right.keys()
        if not all(torch.allclose(left[name], right[name], rtol=0, atol=tolerance) for name in left):
            return False
    return one.scheduler_config["prediction_type"] == other.scheduler_config["prediction_type"]


@pytest.mark.parametrize("family", BUILDERS)
@pytest.mark.parametrize("inpaint", [False, True])
def test_file_and_folder_are_one_checkpoint(tmp_path, cpu, family, inpaint):
    folder = BUILDERS[family](tmp_path / "folder", inpaint=inpaint, prediction_type="v_prediction")
    expected = load(inspect(folder), cpu, check=lambda: None)
    found = load(inspect(save_single_file(folder, tmp_path / "file.safetensors")), cpu, check=lambda: None)
    assert same(found, expected)
    assert found.checkpoint.prediction == "v_prediction"
    assert (
        found.text_encoders[0].tokenizer("a red flower").input_ids
        == expected.text_encoders[0].tokenizer("a red flower").input_ids
    )
    half = load(inspect(save_single_file(folder, tmp_path / "half.safetensors", half=True)), cpu, check=lambda: None)
    assert not same(half, expected)
    assert same(half, expected, tolerance=1e-3)
    assert half.unet.dtype == torch.float32


def test_clip_as_merging_tools_named_it(tmp_path, cpu):
    folder = build_tiny_sd1(tmp_path / "folder", inpaint=False)
    path = save_single_file(folder, tmp_path / "old.safetensors")
    renamed = {name.replace(".transformer.text_model.", ".transformer."): one for name, one in load_file(path).items()}
    save_file(renamed, path)
    assert same(load(inspect(path), cpu, check=lambda: None), load(inspect(folder), cpu, check=lambda: None))


@pytest.mark.parametrize("family", BUILDERS)
@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_missing_and_misshapen_tensors_are_refused(tmp_path, cpu, family, part):
    path = save_single_file(BUILDERS[family](tmp_path / "folder", inpaint=False), tmp_path / "file.safetensors")
    whole = load_file(path)
    name = [name for name in whole if name.startswith(FAMILIES[family].file_prefixes[part])][-2]
    save_file({key: one for key, one in whole.items() if key != name}, path)
    with pytest.raises(CheckpointUnreadable, match=r"incomplete|fit each other"):
        load(inspect(path), cpu, check=lambda: None)
    save_file({**whole, name: torch.zeros(3, 5, 7)}, path)
    with pytest.raises(CheckpointUnreadable, match="fit each other"):
        load(inspect(path), cpu, check=lambda: None)


@pytest.mark.parametrize("family", BUILDERS)
def test_a_tensor_too_many_is_refused_by_its_name(copy_of, tmp_path, cpu, family):
    """Each part's own are counted against the file; what CLIP brings beside its text encoder is none too many."""
    folder = copy_of(family)
    path = save_single_file(folder, tmp_path / "file.safetensors")
    whole = load_file(path)
    last = {"SD1": "cond_stage_model.transformer.text_model.", "SD2": "cond_stage_model.model."}
    text = last.get(family, "conditioner.embedders.1.model.")
    harmless = {f"{text}logit_scale": torch.ones(()), "model_ema.decay": torch.ones(())}
    if family == "SD2":
        harmless[f"{text}transformer.resblocks.23.ln_1.weight"] = torch.ones(32)
        harmless[f"{text}text_projection"] = torch.ones(32, 32)
    save_file({**whole, **harmless}, path)
    assert same(load(inspect(path), cpu, check=lambda: None), load(inspect(folder), cpu, check=lambda: None))
    layer = "encoder.layers.7.layer_norm1.weight" if family == "SD1" else "transformer.resblocks.7.ln_1.weight"
    for name in (
        "model.diffusion_model.input_blocks.9.0.in_layers.0.weight",
        "model.diffusion_model.out.2.gate",
        "first_stage_model.decoder.mid.attn_2.norm.weight",
        f"{text}{layer}",
    ):
        save_file({**whole, **harmless, name: torch.ones(32)}, path)
        with pytest.raises(CheckpointUnsupported, match=name):
            load(inspect(path), cpu, check=lambda: None)


def test_a_folder_with_a_tensor_too_many_is_refused_by_its_name(copy_of, cpu):
    folder = copy_of("SDXL")
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        weights = next((folder / part).glob("*.safetensors"))
        whole = load_file(weights)
        save_file({**whole, "something.gate": torch.ones(3)}, weights, metadata={"format": "pt"})
        with pytest.raises(CheckpointUnsupported, match=r"something\.gate"):
            load(inspect(folder), cpu, check=lambda: None)
        save_file({**whole, "text_model.embeddings.position_ids": torch.arange(77)}, weights, metadata={"format": "pt"})
    # What counts places is none too many.
    assert load(inspect(folder), cpu, check=lambda: None)


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("SD1", torch.bfloat16),
        ("SD1", torch.float8_e5m2),
        ("SD2", torch.float64),
        ("SD2", torch.float8_e4m3fn),
        ("SDXL", torch.float8_e4m3fn),
    ],
)
def test_every_kind_of_float_is_read(copy_of, tmp_path, cpu, family, kind):
    folder = copy_of(family)
    path = save_single_file(folder, tmp_path / "file.safetensors")

    def cast(file):
        tensors = load_file(file)
        cast = {name: one.to(kind) if one.is_floating_point() else one for name, one in tensors.items()}
        save_file(cast, file, metadata={"format": "pt"})

    for file in (path, *folder.rglob("*.safetensors")):
        cast(file)
    one, other = (load(inspect(found), cpu, check=lambda: None) for found in (path, folder))
    assert same(one, other)
    assert (one.unet.dtype, one.modules["text_encoder"].dtype, one.vae.dtype) == (torch.float32,) * 3


@pytest.mark.parametrize("variant", ["", "bf16", "non_ema"])
def test_shards_and_variants_of_a_folder_are_loaded(copy_of, cpu, variant):
    folder = copy_of("SD1")
    expected = load(inspect(folder), cpu, check=lambda: None)
    shard(folder / "unet", variant)
    vae = folder / "vae" / "diffusion_pytorch_model.safetensors"
    text = folder / "text_encoder" / "model.safetensors"
    if variant:
        vae.rename(vae.with_name(f"diffusion_pytorch_model.{variant}.safetensors"))
        text.rename(text.with_name(f"model.{variant}.safetensors"))
    assert same(load(inspect(folder), cpu, check=lambda: None), expected)


def test_a_distilled_sdxl_with_fewer_blocks_paints_from_its_folder(copy_of, cpu):
    """Segmind's SSD-1B and Vega: layers by block and by attention, no attention in the middle."""
    folder = copy_of("SDXL")
    config = json.loads((folder / "unet" / "config.json").read_text())
    config |= {
        "transformer_layers_per_block": [1, [2]],
        "reverse_transformer_layers_per_block": [[1, 2], 1],
        "mid_block_type": "UNetMidBlock2D",
    }
    UNet2DConditionModel.from_config(config).save_pretrained(folder / "unet")
    components = load(inspect(folder), cpu, check=lambda: None)
    prompts = components.encode_prompts("a red flower", "")
    inputs = DenoiseInputs((8, 8), prompts, "Euler", 2, 5.0, 1.0)
    (latents,) = denoise(components, inputs, [1], check=lambda: None, progress=lambda _: None, preview=lambda *_: None)
    assert latents.isfinite().all()


def test_without_configs_of_its_size_a_small_file_is_refused(tmp_path, cpu):
    path = save_single_file(build_tiny_sd1(tmp_path / "folder", inpaint=False), tmp_path / "file.safetensors")
    shutil.rmtree(tmp_path / "file.config")
    with pytest.raises(CheckpointUnreadable, match="fit each other"):
        load(inspect(path), cpu, check=lambda: None)


@pytest.mark.parametrize("family", BUILDERS)
def test_shipped_configs_describe_the_published_checkpoints(family):
    for part, kind in part_classes(FAMILIES[family]).items():
        config = json.loads((CONFIGS / family / part / "config.json").read_text())
        with torch.device("meta"):
            model = kind(kind.config_class(**config)) if hasattr(kind, "config_class") else kind.from_config(config)
        assert sum(weight.numel() for weight in model.parameters()) == PARAMETERS[family][part], part


@pytest.mark.parametrize("family", BUILDERS)
def test_shipped_vocabulary_is_clips(family, tmp_path):
    """Against the ids that CLIP is known to give; prompts are padded as the family's are."""
    shape = save_single_file(BUILDERS[family](tmp_path / "folder", inpaint=False), tmp_path / "file.safetensors")
    shutil.rmtree(tmp_path / "file.config")
    weights = weights_of(inspect(shape))
    for text in FAMILIES[family].texts:
        tokenizer = clip_tokenizer(weights, text)
        assert (len(tokenizer), tokenizer.model_max_length) == (49408, 77)
        ids = tokenizer("a photo of a cat", padding="max_length").input_ids
        pad = 0 if text.pad == "!" else 49407
        assert ids == [49406, 320, 1125, 539, 320, 2368, 49407, *[pad] * 70]
    schedule = weights.scheduler_config()
    assert (schedule["prediction_type"], schedule.get("rescale_betas_zero_snr", False)) == ("epsilon", False)
