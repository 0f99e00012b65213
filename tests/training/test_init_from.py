"""Initialising from a checkpoint, with other words than it knew."""

import json
from copy import deepcopy
from types import SimpleNamespace

import pytest
import torch

from bridge.training.autoencoder import new_autoencoder
from bridge.training.build import Models
from bridge.training.denoiser import new_unet
from bridge.training.errors import CheckpointUnfit
from bridge.training.export import export
from bridge.training.init_from import load_initial_weights, pictures_seen
from bridge.training.text import new_text_encoder, write_tokenizer

DISC = [("d", "i"), ("s", "c</w>"), ("di", "sc</w>")]
BEFORE_DISC = [("s", "q")]
PICTURES = {"autoencoder": 40, "denoiser": 20, "decoder": 0}


def parts(folder, merges, *, seed, width=16):
    torch.manual_seed(seed)
    tokenizer = write_tokenizer(folder, merges, places=8)
    return SimpleNamespace(
        autoencoder=new_autoencoder((4, 8)),
        unet=new_unet((8, 16), 2, width),
        text_encoder=new_text_encoder(tokenizer, width=width, layers=1, heads=2, places=8),
        tokenizer=tokenizer,
    )


@pytest.fixture
def checkpoint(tmp_path):
    made = parts(tmp_path / "known", DISC, seed=1)
    made.autoencoder.register_to_config(scaling_factor=0.5)
    # What is exported is made half as precise where it is.
    built = Models(*map(deepcopy, (made.autoencoder, made.unet, made.text_encoder)), made.tokenizer, PICTURES)
    stages = {key: {"phases": [{"steps": 10, "batch": 4}]} for key in PICTURES}
    recipe = {"name": "tiny", "native_size": 64, "things": [{"name": "disc"}], **stages}
    export(built, recipe, tmp_path / "checkpoint")
    return tmp_path / "checkpoint", made


@pytest.mark.parametrize("merges", [DISC, BEFORE_DISC + DISC], ids=["the same words", "one more, that renumbers"])
def test_what_was_known_is_painted_as_before(tmp_path, checkpoint, merges):
    folder, known = checkpoint
    now = parts(tmp_path / "now", merges, seed=2)
    load_initial_weights(folder, now.autoencoder, now.unet, now.text_encoder, now.tokenizer)
    assert now.autoencoder.config["scaling_factor"] == 0.5

    def told(made):
        return made.text_encoder(made.tokenizer("disc", return_tensors="pt").input_ids).last_hidden_state

    with torch.no_grad():
        # Half precision lay between them.
        torch.testing.assert_close(told(now), told(known), rtol=0.01, atol=0.01)
        latents = torch.randn(1, 9, 8, 8)
        torch.testing.assert_close(
            now.unet(latents, 500, told(now)).sample, known.unet(latents, 500, told(known)).sample, rtol=0.02, atol=0.02
        )


def test_its_card_says_how_many_pictures_it_has_seen_and_how_far_along_its_recipe_that_is(tmp_path, checkpoint):
    assert pictures_seen(checkpoint[0]) == PICTURES
    card = json.loads((checkpoint[0] / "card.json").read_text())
    assert card["of_recipe"] == {"autoencoder": 1.0, "denoiser": 0.5, "decoder": 0.0}
    assert pictures_seen(tmp_path) == {}


def test_a_checkpoint_of_another_shape_is_told(tmp_path, checkpoint):
    now = parts(tmp_path / "now", DISC, seed=2, width=32)
    with pytest.raises(CheckpointUnfit, match=r"its unet has no .* of the recipe's shape"):
        load_initial_weights(checkpoint[0], now.autoencoder, now.unet, now.text_encoder, now.tokenizer)


def test_what_is_no_checkpoint_is_told(tmp_path):
    now = parts(tmp_path / "now", DISC, seed=2)
    with pytest.raises(CheckpointUnfit, match="not a whole diffusers folder"):
        load_initial_weights(tmp_path, now.autoencoder, now.unet, now.text_encoder, now.tokenizer)
