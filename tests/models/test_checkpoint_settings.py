"""What an artist says of a checkpoint in checkpoints.toml: heeded at once, in its hash, and wrong words named."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl

from bridge.models import CheckpointUnknown, CheckpointUnreadable, CheckpointUnsupported, ModelsError, Registry

NAMED = 'checkpoints.toml, ["tiny"]'


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_tiny_sd1(tmp_path_factory.mktemp("built") / "tiny", inpaint=False)


@pytest.fixture
def home(tmp_path, monkeypatch, built):
    home = tmp_path / "home"
    monkeypatch.setenv("PAINTBRIDGE_HOME", str(home))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    for variable in ("HF_HOME", "HF_HUB_CACHE", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "INVOKEAI_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    shutil.copytree(built, home / "models" / "tiny")
    return home


@pytest.fixture
def say(home):
    registry = Registry()

    def said(text: str):
        (home / "checkpoints.toml").write_text(text)
        return registry.get("tiny")

    return said


def test_each_setting_is_heeded_at_once_and_tells_hashes_apart(say, home):
    plain = say("")
    assert (plain.prediction, plain.zero_terminal_snr, plain.clip_skip, plain.apart) == ("epsilon", False, None, ())
    seen = [plain.hash]
    for text, found in (
        ('[tiny]\nprediction = "v_prediction"', {"prediction": "v_prediction"}),
        (
            '[tiny]\nprediction = "v_prediction"\nzero_terminal_snr = true',
            {"prediction": "v_prediction", "zero_terminal_snr": True},
        ),
        ("[tiny]\nclip_skip = 2", {"clip_skip": 2}),
        ("[tiny]\nclip_skip = 3", {"clip_skip": 3}),
    ):
        checkpoint = say(text)
        assert {key: getattr(checkpoint, key) for key in found} == found
        assert len(checkpoint.hash) == 64
        seen.append(checkpoint.hash)
    assert len(set(seen)) == len(seen)
    # What its files say as well is nothing new.
    assert say('["tiny"]\nprediction = "epsilon"').hash == plain.hash
    (home / "checkpoints.toml").unlink()
    assert Registry().get("tiny").hash == plain.hash


def test_what_a_card_says_is_overruled(say):
    plain = say("")
    card = say("[tiny]\nnative_pixels = 16384\ndefault_steps = 7\ndefault_guidance = 2\nsampler = 'Euler a'\n").card
    assert (card.native_pixels, card.default_steps, card.default_guidance) == (16384, 7, 2)
    assert (card.default_sampler, card.name) == ("Euler a", plain.card.name)


@pytest.mark.parametrize("layout", ["folder", "file", "diffusers file", "whole folder", "path"])
def test_a_vae_of_ones_own(say, home, built, tmp_path, layout):
    vaes = home / "models" / "vae"
    vaes.mkdir()
    name = "mine"
    if layout == "whole folder":
        shutil.copytree(built, vaes / "mine")
    elif layout == "folder":
        shutil.copytree(built / "vae", vaes / "mine")
    else:
        tensors = load_file(built / "vae" / "diffusion_pytorch_model.safetensors")
        if layout == "file":
            tensors = {f"first_stage_model.{key}": one for key, one in tensors.items()}
        file = (tmp_path if layout == "path" else vaes) / "mine.safetensors"
        save_file(tensors, file)
        name = str(file) if layout == "path" else name
    plain = say("")
    found = say(f'[tiny]\nvae = "{name}"')
    (vae,) = found.apart
    assert found.known_hash() is None, "nothing has read the VAE yet"
    before = found.hash
    assert before == found.known_hash()
    assert before != plain.hash
    weights = next(file for file in vae.files if file.suffix == ".safetensors")
    tensors = load_file(weights)
    save_file({key: one + 1 for key, one in tensors.items()}, weights)
    other = say(f'[tiny]\nvae = "{name}"')
    assert other.known_hash() is None
    assert other.hash not in (before, plain.hash)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '[tiny]\npredicts = "v"',
            "no setting predicts; there are prediction, zero_terminal_snr, clip_skip, inpainting",
        ),
        ('[tiny]\nprediction = "v"', "prediction must be one of epsilon, v_prediction, sample, not 'v'"),
        ("[tiny]\nprediction = ['v']", "prediction must be"),
        ("[tiny]\nzero_terminal_snr = 1", "zero_terminal_snr must be true or false"),
        ("[tiny]\nzero_terminal_snr = true", "what predicts noise"),
        ("[tiny]\nclip_skip = 0", "clip_skip must be a whole number from 1 to 12, not 0"),
        ("[tiny]\nclip_skip = true", "clip_skip must be"),
        ("[tiny]\nvae = 3", "vae must be a name or a path"),
        ('[tiny]\nvae = "gone"', "there is no VAE gone"),
        ('[tiny]\nsampler = "Magic"', "no sensible sampler"),
        ("[tiny]\ndefault_steps = 0", "no sensible default_steps"),
    ],
)
def test_what_cannot_be_meant_is_named(say, text, words):
    with pytest.raises(CheckpointUnreadable, match=words) as wrong:
        say(text)
    assert NAMED in wrong.value.message
    assert wrong.value.hint


@pytest.mark.parametrize(("text", "words"), [("[tiny", "not TOML"), ("clip_skip = 2", "clip_skip outside any table")])
def test_a_broken_file_is_told_of_rather_than_painted_without(say, text, words):
    with pytest.raises(CheckpointUnreadable, match=words):
        say(text)


def test_a_table_of_no_checkpoint_is_told_of(say):
    assert say("[tinny]\nclip_skip = 2").clip_skip is None
    (problem,) = (found for name, found in Registry().problems().items() if name.startswith("tinny"))
    assert isinstance(problem, CheckpointUnknown)
    assert "tinny" in problem.message


def flux(path: Path) -> None:
    save_file({"decoder.conv_in.weight": torch.zeros(8, 16, 3, 3)}, path)


def taesd(path: Path) -> None:
    save_file({"decoder.layers.0.weight": torch.zeros(8, 4, 3, 3)}, path)


def strange(path: Path) -> None:
    save_file({"decoder.conv_in.weight": torch.zeros(8, 4, 3, 3), "gate": torch.zeros(1)}, path)


@pytest.mark.parametrize(
    ("write", "words", "kind"),
    [
        (flux, "16 channels", CheckpointUnsupported),
        (taesd, "TAESD", CheckpointUnsupported),
        (strange, "such as gate", CheckpointUnsupported),
        (lambda path: path.write_bytes(b"PK\x03\x04rest"), "pickle", CheckpointUnreadable),
    ],
)
def test_what_is_no_vae_of_the_family_is_refused(say, home, write, words, kind):
    (home / "models" / "vae").mkdir()
    write(home / "models" / "vae" / "mine.safetensors")
    with pytest.raises(ModelsError, match=words) as wrong:
        say('[tiny]\nvae = "mine"')
    assert isinstance(wrong.value, kind)
    assert NAMED in wrong.value.message


def test_a_vae_of_another_family_is_told_by_its_scale(say, home, tmp_path):
    xl = build_tiny_sdxl(tmp_path / "xl", inpaint=False)
    with pytest.raises(CheckpointUnsupported, match=r"by 0\.13025, where Stable Diffusion 1 has 0\.18215"):
        say(f'[tiny]\nvae = "{xl}"')
    config = xl / "vae" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "latents_mean": [0.0] * 4}))
    with pytest.raises(CheckpointUnsupported, match="centred"):
        say(f'[tiny]\nvae = "{xl}"')
