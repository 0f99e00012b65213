"""A LoRA is trained: the loss falls, pictures move towards the style, and the file is everybody's."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors import safe_open
from safetensors.torch import load_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl

from bridge.diffusion import DenoiseInputs, ModelCache, WeightedLora, denoise, find_device
from bridge.diffusion.lora_layers import AdaptedLayer
from bridge.models import Checkpoint, inspect
from bridge.models.lora import inspect_lora
from bridge.training.dataset import TrainingImage
from bridge.training.errors import CheckpointUntrainable, LoraNameUnusable, LossNotFinite, StateInvalid
from bridge.training.lora import identity_of, native_resolution, train_lora
from bridge.training.lora_file import check_name
from bridge.training.lora_stage import LoraParams, LoraStage

CAPTION = "a blue flower"
DEVICE = replace(find_device(), kind="cpu", dtype="float32")


def stripes(index: int, height: int = 56, width: int = 64) -> TrainingImage:
    """One of a style: diagonal stripes of blue and yellow."""
    y, x = np.mgrid[0:height, 0:width]
    wide = np.random.default_rng(index).uniform(2, 5)
    pixels = np.where((np.sin((x + y) / wide + index) > 0)[..., None], (30, 60, 210), (230, 200, 30))
    return TrainingImage(f"{index}.png", pixels.astype(np.uint8), np.full((height, width), 255, np.uint8), CAPTION)


DATASET = [stripes(index) for index in range(20)]
STEPS = 12


def nothing(*_: object) -> None:
    pass


def train_style(checkpoint: Checkpoint, to: Path, **options) -> list[float]:
    """Trains; the loss of each step."""
    losses: list[float] = []
    params = LoraParams("stripes", CAPTION, resolution=64, learning_rate=3e-3, batch=2)
    params = replace(
        params, **{name: options.pop(name) for name in list(options) if name in LoraParams.__dataclass_fields__}
    )
    dataset = options.pop("dataset", DATASET)
    report = options.pop("report", nothing)

    def each(step) -> None:
        losses.append(step.losses["loss"])
        report(step)

    train_lora(checkpoint, DEVICE, dataset, params, state=to.with_suffix(".state"), to=to, report=each, **options)
    return losses


def distance_from_style(checkpoint: Checkpoint, lora: Path | None) -> float:
    """How far what is painted lies from the nearest picture of the style, in latents, mean of four seeds."""
    worn = () if lora is None else (WeightedLora(inspect_lora(lora), 1.0),)
    components = ModelCache(DEVICE).get(checkpoint, check=nothing, loras=worn)
    walk = DenoiseInputs(
        size=(7, 8),
        prompts=components.encode_prompts(CAPTION, ""),
        sampler="DDIM",
        steps=8,
        guidance=1.0,
        strength=1.0,
    )
    painted = denoise(components, walk, [1, 2, 3, 4], check=nothing, progress=nothing, preview=nothing)
    style = torch.cat([components.encode(one.pixels.astype(np.float32) / 255) for one in DATASET])
    return float(np.mean([(style - one).square().mean((1, 2, 3)).min() for one in painted]))


@pytest.fixture(scope="module")
def sd1(tmp_path_factory) -> Checkpoint:
    return inspect(build_tiny_sd1(tmp_path_factory.mktemp("sd1") / "tiny", inpaint=False))


@pytest.fixture(scope="module")
def trained(sd1, tmp_path_factory) -> tuple[Path, list[float]]:
    """A LoRA of 200 steps on 20 pictures, and its losses."""
    path = tmp_path_factory.mktemp("trained") / "stripes.safetensors"
    return path, train_style(sd1, path, steps=200, batch=1)


def test_the_loss_falls_and_pictures_move_towards_the_style(sd1, trained):
    path, losses = trained
    assert len(losses) == 200
    assert np.mean(losses[-30:]) < 0.7 * np.mean(losses[:30])
    assert distance_from_style(sd1, path) < 0.6 * distance_from_style(sd1, None)


def test_the_file_says_what_it_is(sd1, trained):
    lora = inspect_lora(trained[0])
    assert (lora.family.name, lora.naming, lora.rank, lora.parts) == ("SD1", "kohya", 16, ("unet",))
    assert lora.trigger_words == (CAPTION,)
    with safe_open(trained[0], "pt") as file:
        said = file.metadata()
    assert said["ss_base_model_version"] == "sd_v1"
    told = json.loads(said["paintbridge.training"])
    assert (told["checkpoint_hash"], told["steps"], told["rank"], told["pictures"]) == (sd1.hash, 200, 16, 20)
    assert not trained[0].with_suffix(".state").exists()


KINDS = {
    "nine channels": (build_tiny_sd1, {"inpaint": True}),
    "velocity": (build_tiny_sd1, {"inpaint": False, "prediction_type": "v_prediction", "zero_terminal_snr": True}),
    "SDXL": (build_tiny_sdxl, {"inpaint": False}),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request, tmp_path_factory) -> SimpleNamespace:
    """A kind of checkpoint, and what it learnt of pictures of two sizes, some partly transparent."""
    build, options = KINDS[request.param]
    folder = tmp_path_factory.mktemp("kind")
    checkpoint = inspect(build(folder / "tiny", **options))
    others = [stripes(index, 64, 40) for index in range(3)]
    dataset = [*DATASET[:3], *(replace(one, coverage=np.tril(one.coverage)) for one in others)]
    path, samples = folder / "lora.safetensors", folder / "samples"
    losses = train_style(checkpoint, path, dataset=dataset, steps=STEPS, alpha=8.0, samples=samples)
    return SimpleNamespace(name=request.param, checkpoint=checkpoint, path=path, samples=samples, losses=losses)


def test_every_kind_of_checkpoint_learns(kind):
    third = STEPS // 3
    assert np.mean(kind.losses[-third:]) < np.mean(kind.losses[:third])
    shown = {f"{quarter * STEPS // 4:06}.png" for quarter in (1, 2, 3, 4)}
    assert {path.name for path in kind.samples.iterdir()} == shown


def test_the_stock_pipeline_changes_the_same_layers_by_as_much(kind):
    pipeline = {
        "nine channels": StableDiffusionInpaintPipeline,
        "velocity": StableDiffusionPipeline,
        "SDXL": StableDiffusionXLPipeline,
    }[kind.name]
    worn = (WeightedLora(inspect_lora(kind.path), 1.0),)
    ours = ModelCache(DEVICE).get(kind.checkpoint, check=nothing, loras=worn).unet
    stock = pipeline.from_pretrained(kind.checkpoint.path, safety_checker=None, feature_extractor=None)
    stock.load_lora_weights(str(kind.path))
    theirs = {name: layer for name, layer in stock.unet.named_modules() if hasattr(layer, "lora_A")}
    mine = {name: layer for name, layer in ours.named_modules() if isinstance(layer, AdaptedLayer)}
    assert theirs.keys() == mine.keys()
    assert len(mine) > 10
    for name, layer in mine.items():
        [change], [other] = layer.changes.values(), theirs[name].lora_A.keys()
        change = change.delta()
        assert change.abs().max() > 0
        torch.testing.assert_close(change, theirs[name].get_delta_weight(other), rtol=1e-3, atol=1e-6)


def test_every_picture_is_seen_once_an_epoch(sd1):
    from bridge.diffusion import load

    dataset = [*DATASET[:5], *(stripes(index, 64, 40) for index in range(3))]
    stage = LoraStage(load(sd1, DEVICE, check=nothing), dataset, LoraParams("x", CAPTION, batch=2), check=nothing)
    sums = [stage.batch(step, 0)["latents"].sum((1, 2, 3)).tolist() for step in range(5)]
    assert [len(seen) for seen in sums].count(1) == 2
    assert len({total for seen in sums for total in seen}) == 8
    again = stage.batch(3, 0)
    assert all(torch.equal(tensor, again[name]) for name, tensor in stage.batch(3, 0).items())


def test_a_training_that_was_stopped_goes_on_to_the_same_file(sd1, tmp_path):
    whole, parted = tmp_path / "whole.safetensors", tmp_path / "parted.safetensors"
    few = DATASET[:4]
    losses = train_style(sd1, whole, steps=6, dataset=few)
    reached: list[int] = []
    train_style(
        sd1, parted, steps=6, dataset=few, report=lambda step: reached.append(step.step), stop=lambda: len(reached) >= 4
    )
    assert not parted.exists()
    assert train_style(sd1, parted, steps=6, dataset=few) == losses[4:]
    torch.testing.assert_close(load_file(parted), load_file(whole), rtol=0, atol=0)


def test_a_state_of_other_pictures_is_refused(sd1, tmp_path):
    path = tmp_path / "lora.safetensors"
    train_style(sd1, path, steps=6, max_hours=0.0, dataset=DATASET[:3])
    with pytest.raises(StateInvalid, match="Use the same pictures and arguments"):
        train_style(sd1, path, steps=6, dataset=DATASET[:4])


def test_what_a_training_is_told_apart_by(sd1):
    params = LoraParams("a", CAPTION)
    same = identity_of(sd1, DATASET, replace(params, name="b"))
    assert identity_of(sd1, DATASET, params) == same
    others = [
        identity_of(sd1, DATASET[1:], params),
        identity_of(sd1, [replace(DATASET[0], caption="x"), *DATASET[1:]], params),
        identity_of(sd1, DATASET, replace(params, rank=8)),
    ]
    assert same not in others


def test_a_rate_that_burns_is_told(sd1, tmp_path):
    with pytest.raises(LossNotFinite):
        train_style(sd1, tmp_path / "lora.safetensors", steps=20, learning_rate=1e30, dataset=DATASET[:2])


def test_a_distilled_checkpoint_is_not_taught(tmp_path):
    lcm = inspect(build_tiny_sd1(tmp_path / "by-name-lcm", inpaint=False))
    hearing = inspect(build_tiny_sd1(tmp_path / "hearing", inpaint=False, guidance_embeds=True))
    for checkpoint in (lcm, hearing):
        with pytest.raises(CheckpointUntrainable, match="distilled"):
            train_style(checkpoint, tmp_path / "lora.safetensors", steps=1)


@pytest.mark.parametrize("name", ["", "a/b", "../a", "a:1", "<a>", ".hidden", "a ", "x" * 65])
def test_a_name_that_no_prompt_or_disk_could_hold_is_refused(tmp_path, name):
    with pytest.raises(LoraNameUnusable, match="up to 64"):
        check_name(name, tmp_path)


def test_a_name_that_is_taken_is_refused(tmp_path):
    (tmp_path / "ink.safetensors").touch()
    with pytest.raises(LoraNameUnusable, match="is there already"):
        check_name("ink", tmp_path)
    assert check_name("ink 2", tmp_path) == tmp_path / "ink 2.safetensors"


def test_the_resolution_is_the_checkpoint_s_own(sd1):
    assert native_resolution(sd1) == 64
