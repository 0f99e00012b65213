"""Both stages on a custom dataset, at tiny sizes: what they see, that the loss falls, and what comes of them."""

import json

import numpy as np
import torch
from diffusers import StableDiffusionInpaintPipeline

from bridge.models import inspect
from bridge.training import custom_dataset
from bridge.training.autoencoder import new_autoencoder
from bridge.training.dataset import TrainingImage
from bridge.training.export import export
from bridge.training.loop import TrainingSchedule, train
from bridge.training.lpips import Lpips

MERGES = [("s", "k"), ("i", "n</w>"), ("sk", "in</w>"), ("l", "u"), ("lu", "n"), ("lun", "g</w>"), ("x", "y")]
RECIPE = {
    "name": "tiny",
    "seed": 3,
    "native_size": 64,
    "things": [{"code": "a", "name": "apple", "also": []}],
    "autoencoder": {
        "channels": [4, 8, 8, 8],
        "phases": [{"steps": 12, "size": 32, "batch": 4}],
        "lpips_weight": 0.5,
        "kl_weight": 2e-4,
    },
    "decoder": {"phases": [{"steps": 3, "size": 32, "batch": 2}]},
    "text_encoder": {"width": 16, "layers": 1, "heads": 2, "places": 8, "merges": 0},
    "denoiser": {
        "channels": [8, 16],
        "heads": 2,
        "phases": [{"steps": 20, "size": 32, "examples": 16, "batch": 8}],
        "caption_dropout": 0.1,
        "outside_weight": 0.15,
    },
}


def image(index: int) -> TrainingImage:
    """Noise of a colour of its own, wider than high; its left edge is black."""
    rng = np.random.default_rng(index)
    pixels = rng.integers(0, 60, (64, 96, 3), np.uint8) + np.array(((180, 60, 60), (40, 90, 160))[index % 2], np.uint8)
    pixels[:, :4] = 0
    return TrainingImage(f"{index}.png", pixels, np.full((64, 96), 255, np.uint8), ("skin", "lung")[index % 2])


DATASET = [image(index) for index in range(4)]


def trained(stage, steps: int, path, rate: float = 3e-3) -> tuple[float, float]:
    """The loss of the first batch before and after."""

    def loss() -> float:
        with torch.no_grad():
            return float(stage.module(**stage.batch(0, 0))["loss"])

    before = loss()
    train(stage, TrainingSchedule(steps, rate, warmup_steps=3), path, identity="own", say=lambda _: None)
    return before, loss()


def test_squares_of_every_scale_are_cut_and_never_mirrored():
    rng = np.random.default_rng(0)
    squares = [custom_dataset.random_crop(rng, 32, DATASET) for _ in range(60)]
    assert {square.shape for square in squares} == {(32, 32, 3)}
    assert any((square[:, 0] == 0).all() for square in squares)
    assert not any((square[:, -1] == 0).all() for square in squares)


def test_the_recipe_s_things_give_way_and_states_are_told_apart():
    first = custom_dataset.recipe_for_folder(RECIPE, "clinic", DATASET)
    assert first["things"] == []
    assert first["name"].startswith("clinic ")
    assert custom_dataset.recipe_for_folder(RECIPE, "clinic", DATASET[1:])["name"] != first["name"]
    assert custom_dataset.recipe_for_folder(RECIPE, "clinic", DATASET)["name"] == first["name"]


def test_from_pictures_to_a_checkpoint(tmp_path, lpips_weights):
    recipe = custom_dataset.recipe_for_folder(RECIPE, "clinic", DATASET)
    stage = custom_dataset.autoencoder_stage(recipe, Lpips(lpips_weights), DATASET)
    before, after = trained(stage, 12, tmp_path / "autoencoder.safetensors", 5e-3)
    assert after < 0.9 * before

    built = custom_dataset.models(recipe, tmp_path, MERGES, DATASET)
    assert built.pictures == {"autoencoder": 48, "decoder": 0, "denoiser": 0}
    assert built.tokenizer.tokenize("skin lung xy") == ["skin</w>", "lung</w>", "x", "y</w>"]
    denoiser = custom_dataset.denoiser_stage(recipe, built, DATASET)
    batch = denoiser.batch(0, 0)
    assert batch["latents"].shape == (8, 10, 4, 4)
    before, after = trained(denoiser, 20, tmp_path / "denoiser.safetensors")
    assert after < 0.9 * before
    denoiser.samples({}, tmp_path / "samples" / "000020.png")
    assert (tmp_path / "samples" / "000020.png").exists()

    built = custom_dataset.models(recipe, tmp_path, MERGES, DATASET)
    assert built.pictures["denoiser"] == 160
    folder = tmp_path / "checkpoint"
    export(built, recipe, folder)
    told = custom_dataset.card(json.loads((folder / "card.json").read_text()), "clinic", DATASET)
    (folder / "card.json").write_text(json.dumps(told))
    checkpoint = inspect(folder)
    assert checkpoint.inpaint
    assert checkpoint.card.known_names == ("lung", "skin")
    assert checkpoint.card.empty_prompt == "denoise"
    StableDiffusionInpaintPipeline.from_pretrained(folder)


def test_the_decoder_is_refined_alone(tmp_path, lpips_weights):
    recipe = custom_dataset.recipe_for_folder(RECIPE, "clinic", DATASET)
    built = custom_dataset.models(recipe, tmp_path, MERGES, DATASET)
    stage = custom_dataset.autoencoder_stage(recipe, Lpips(lpips_weights), DATASET, built.autoencoder)
    learning = {name.split(".")[1] for name, one in stage.module.named_parameters() if one.requires_grad}
    assert learning == {"decoder"}


def test_an_example_is_a_function_of_its_number():
    examples = custom_dataset.CustomExamples(new_autoencoder((4, 8, 8, 8)), DATASET, size=32, count=8, seed=1)
    for index in range(6):
        first, again = examples._made(index), examples._made(index)
        assert (first.picture == again.picture).all()
        assert (first.mask == again.mask).all()
        assert first.mask.any()
        assert first.thing == index % 4
