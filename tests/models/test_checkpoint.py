"""Checkpoints are told by content: what they are, and in which words they are refused."""

import json
import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl

from bridge.models import CheckpointUnreadable, CheckpointUnsupported, inspect


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    return build_tiny_sd1(tmp_path_factory.mktemp("sound") / "tiny", inpaint=True)


@pytest.fixture
def copy(sound, tmp_path):
    return Path(shutil.copytree(sound, tmp_path / "copy"))


def edit_json(path: Path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def write_header(path: Path, shapes: dict[str, list[int]]) -> Path:
    """A safetensors file with these tensors, as sparse as the file system allows."""
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
    return path


def test_folder_is_told_by_its_configs(sound):
    found = inspect(sound)
    assert (found.id, found.layout, found.family.name, found.inpaint) == ("tiny", "folder", "SD1", True)
    assert found.prediction == "epsilon"
    assert found.card.native_pixels == 64 * 64
    assert len(found.hash) == 64


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_four_channels_and_prediction(tmp_path, prediction):
    found = inspect(build_tiny_sd1(tmp_path / "base", inpaint=False, prediction_type=prediction))
    assert not found.inpaint
    assert found.prediction == prediction


@pytest.mark.parametrize("inpaint", [True, False])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_sd2_is_told_by_its_text_encoder(tmp_path, inpaint, prediction):
    found = inspect(build_tiny_sd2(tmp_path / "two", inpaint=inpaint, prediction_type=prediction))
    assert (found.family.name, found.inpaint, found.prediction) == ("SD2", inpaint, prediction)


def test_hash_changes_with_weights_and_not_with_place(sound, copy):
    assert inspect(copy).hash == inspect(sound).hash
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert inspect(copy).hash != inspect(sound).hash


def test_missing_card_gives_the_configs_and_the_family_facts(copy):
    (copy / "card.json").unlink()
    card = inspect(copy).card
    # The size that the UNet's config says; the family's where it says none.
    assert (card.native_pixels, card.default_steps, card.empty_prompt) == (64 * 64, 20, "denoise")
    assert card.masked_picture == "grey"
    for said, native in ((None, 512 * 512), (0, 512 * 512), ([16, 8], 128 * 64), ("large", 512 * 512)):
        edit_json(copy / "unet" / "config.json", sample_size=said)
        assert inspect(copy).card.native_pixels == native


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("native_pixels", "many"),
        ("sampler", "Magic"),
        ("empty_prompt", "maybe"),
        ("masked_picture", "white"),
        ("default_steps", 0),
        ("name", 3),
    ],
)
def test_senseless_card_is_named(copy, key, value):
    edit_json(copy / "card.json", **{key: value})
    with pytest.raises(CheckpointUnreadable, match=key):
        inspect(copy)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("keep", [0.5, 0.0005])
def test_truncated_weights(copy, part, keep):
    weights = next((copy / part).glob("*.safetensors"))
    content = weights.read_bytes()
    weights.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(CheckpointUnreadable, match=r"truncated|not a safetensors"):
        inspect(copy)


def test_pickle_under_the_name_of_weights(copy):
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(pickle.dumps({"a": list(range(100))}))
    with pytest.raises(CheckpointUnreadable, match="pickle"):
        inspect(copy)


def test_folder_of_pickles(copy):
    (copy / "unet" / "diffusion_pytorch_model.safetensors").rename(copy / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(CheckpointUnreadable, match="pickle"):
        inspect(copy)


@pytest.mark.parametrize("name", ["model.safetensors", "model.ckpt", "model.png"])
def test_pickled_file_under_any_name(tmp_path, name):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps([1, 2, 3]))
    with pytest.raises(CheckpointUnreadable, match="pickle") as caught:
        inspect(path)
    assert caught.value.code == "checkpoint_unreadable"
    assert "safetensors" in caught.value.hint


@pytest.mark.parametrize(
    "content", [b"", b"short", b"\x89PNG\r\n\x1a\n" + bytes(100), struct.pack("<Q", 20) + b"{" * 20]
)
def test_foreign_file(tmp_path, content):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointUnreadable):
        inspect(path)


def test_file_with_bytes_too_many(tmp_path):
    path = tmp_path / "long.safetensors"
    save_file({"a": np.zeros(4, np.float32)}, path)
    path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(CheckpointUnreadable, match="longer"):
        inspect(path)


INPUT = "model.diffusion_model.input_blocks.0.0.weight"
VAE = {"first_stage_model.encoder.conv_in.weight": [128, 3, 3, 3]}
CLIP = {"cond_stage_model.transformer.text_model.final_layer_norm.weight": [768]}
OPEN_CLIP = {"cond_stage_model.model.ln_final.weight": [1024]}
BOTH = {
    "conditioner.embedders.0.transformer.text_model.final_layer_norm.weight": [768],
    "conditioner.embedders.1.model.ln_final.weight": [1280],
}
LAST_NORM = "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.norm1.bias"


@pytest.mark.parametrize(
    ("text", "family"), [(CLIP, "SD1"), (OPEN_CLIP, "SD2"), (BOTH, "SDXL")], ids=["SD1", "SD2", "SDXL"]
)
@pytest.mark.parametrize("channels", [4, 9])
def test_single_file_is_told_by_its_tensors(tmp_path, text, family, channels):
    path = write_header(tmp_path / "a.model.safetensors", {INPUT: [320, channels, 3, 3], **VAE, **text})
    found = inspect(path)
    assert (found.id, found.layout, found.family.name) == ("a.model", "file", family)
    assert (found.inpaint, found.prediction, found.files) == (channels == 9, "epsilon", (path,))
    assert found.card.native_pixels == found.family.native_pixels
    assert found.card.name == "a.model"


@pytest.mark.parametrize(
    ("key", "said", "prediction"),
    [
        ("prediction_type", "v", "v_prediction"),
        ("prediction_type", "epsilon", "epsilon"),
        # As ComfyUI writes it.
        ("predict_key", "v", "v_prediction"),
    ],
)
def test_single_file_says_in_its_metadata_what_it_predicts(tmp_path, key, said, prediction):
    tensors = {name: np.zeros(shape, np.float16) for name, shape in {INPUT: (8, 4, 3, 3), **VAE, **CLIP}.items()}
    save_file(tensors, tmp_path / "a.safetensors", metadata={f"modelspec.{key}": said})
    assert inspect(tmp_path / "a.safetensors").prediction == prediction
    save_file(tensors, tmp_path / "c.safetensors", metadata={f"modelspec.{key}": "something"})
    with pytest.raises(CheckpointUnsupported, match="something"):
        inspect(tmp_path / "c.safetensors")
    save_file({**tensors, "v_pred": np.zeros(0, np.float16)}, tmp_path / "b.safetensors")
    assert inspect(tmp_path / "b.safetensors").prediction == "v_prediction"


@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize(("spread", "prediction"), [(0.2, "v_prediction"), (0.02, "epsilon")])
def test_sd2_file_that_does_not_say_is_told_by_a_norm(tmp_path, kind, spread, prediction):
    norm = np.random.default_rng(1).normal(0, spread, 320).astype(kind)
    tensors = {name: np.zeros(shape, kind) for name, shape in {INPUT: (8, 4, 3, 3), **VAE, **OPEN_CLIP}.items()}
    save_file({**tensors, LAST_NORM: norm}, tmp_path / "two.safetensors")
    assert inspect(tmp_path / "two.safetensors").prediction == prediction


def test_folder_beside_a_single_file_overrules(tmp_path):
    path = write_header(tmp_path / "one.safetensors", {INPUT: [320, 4, 3, 3], **VAE, **CLIP})
    before = inspect(path).hash
    beside = tmp_path / "one.config"
    (beside / "scheduler").mkdir(parents=True)
    with pytest.raises(CheckpointUnreadable, match=r"one\.config"):
        inspect(path)
    (beside / "scheduler" / "scheduler_config.json").write_text('{"prediction_type": "v_prediction"}')
    (beside / "card.json").write_text('{"name": "Mine", "default_steps": 8}')
    found = inspect(path)
    assert (found.prediction, found.card.name, found.card.default_steps) == ("v_prediction", "Mine", 8)
    known = found.hash
    assert known != before
    renamed = path.rename(tmp_path / "two.safetensors")
    beside.rename(tmp_path / "two.config")
    assert inspect(renamed).hash == known


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ({INPUT: [320, 4, 3, 3], **VAE}, "without a text encoder"),
        ({INPUT: [320, 4, 3, 3], **CLIP}, "no VAE"),
        ({INPUT: [320, 4, 3, 3], **VAE, "conditioner.embedders.1.model.ln_final.weight": [4]}, "no text encoder"),
        ({INPUT: [320, 4, 3, 3], **VAE, "conditioner.embedders.0.model.ln_final.weight": [4]}, "refiner"),
        ({INPUT: [320, 8, 3, 3], **VAE, **CLIP}, "8 channels"),
        ({"lora_unet_down_blocks_0.lora_down.weight": [4, 4]}, "LoRA"),
        ({"distilled_guidance_layer.in_proj.bias": [128]}, "This is Chroma, which"),
        ({"something.else": [3]}, "of no kind of checkpoint"),
    ],
)
def test_single_file_is_recognised_and_refused(tmp_path, shapes, words):
    with pytest.raises(CheckpointUnsupported, match=words) as caught:
        inspect(write_header(tmp_path / "one.safetensors", shapes))
    assert caught.value.code == "checkpoint_unsupported"


def test_refiner_of_sdxl(tmp_path):
    folder = build_tiny_sdxl(tmp_path / "refiner", inpaint=False)
    edit_json(folder / "model_index.json", text_encoder=[None, None], tokenizer=[None, None])
    with pytest.raises(CheckpointUnsupported, match="refiner"):
        inspect(folder)


@pytest.mark.parametrize("inpaint", [True, False])
def test_sdxl_is_told_by_its_unet(tmp_path, inpaint):
    folder = build_tiny_sdxl(tmp_path / "xl", inpaint=inpaint)
    found = inspect(folder)
    assert (found.family.name, found.inpaint, found.force_zeros_for_empty_prompt) == ("SDXL", inpaint, True)
    assert {file.parent.name for file in found.files} >= {"text_encoder_2", "tokenizer_2"}
    edit_json(folder / "model_index.json", force_zeros_for_empty_prompt=False)
    assert not inspect(folder).force_zeros_for_empty_prompt
    (folder / "text_encoder_2" / "model.safetensors").unlink()
    with pytest.raises(CheckpointUnreadable, match="text_encoder_2"):
        inspect(folder)


def test_centred_latents(copy):
    edit_json(copy / "vae" / "config.json", latents_mean=[0.0] * 4)
    with pytest.raises(CheckpointUnsupported, match="centred"):
        inspect(copy)


def test_config_that_contradicts_its_weights(copy):
    edit_json(copy / "unet" / "config.json", in_channels=4)
    with pytest.raises(CheckpointUnreadable, match="contradict"):
        inspect(copy)


@pytest.mark.parametrize("lost", ["unet/config.json", "scheduler/scheduler_config.json", "tokenizer", "vae"])
def test_incomplete_folder(copy, lost):
    path = copy / lost
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with pytest.raises(CheckpointUnreadable):
        inspect(copy)


def test_nothing_there(tmp_path):
    with pytest.raises(CheckpointUnreadable, match="nothing"):
        inspect(tmp_path / "gone")
    with pytest.raises(CheckpointUnsupported, match="model_index"):
        inspect(tmp_path)


def test_importing_the_room_loads_no_torch():
    slow = "{'torch', 'diffusers', 'transformers', 'numpy', 'safetensors'}"
    code = f"import sys, bridge.models; sys.exit(', '.join({slow} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], check=True)
