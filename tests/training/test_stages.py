"""The two stages at tiny sizes: their losses fall, and what comes of them is a stock pipeline."""

import numpy as np
import pytest
import torch

from bridge.training import build
from bridge.training.autoencoder import AutoencoderStage, new_autoencoder, to_tensor
from bridge.training.denoiser import DenoiserStage, new_scheduler, new_unet
from bridge.training.examples import Examples
from bridge.training.export import export
from bridge.training.loop import TrainingSchedule, train
from bridge.training.lpips import Lpips
from bridge.training.samples import to_pictures
from bridge.training.text import captions_of, cut_merges, new_text_encoder, words_of, write_tokenizer

MERGES = [("d", "i"), ("s", "c</w>"), ("di", "sc</w>"), ("s", "q"), ("u", "a"), ("x", "y"), ("a", "r"), ("r", "e</w>")]


def trained(stage, steps: int, tmp_path, rate: float) -> tuple[float, float]:
    """The loss of the first batch before and after training for some steps."""
    schedule = TrainingSchedule(steps=steps, learning_rate=rate, warmup_steps=5)

    def loss() -> float:
        with torch.no_grad():
            return float(stage.module(**stage.batch(0, 0))["loss"])

    before = loss()
    train(stage, schedule, tmp_path / "state", identity="t", say=lambda _: None)
    return before, loss()


@pytest.fixture
def autoencoder():
    torch.manual_seed(0)
    return new_autoencoder((4, 8, 8, 8))


@pytest.fixture
def tokenizer(tmp_path):
    return write_tokenizer(tmp_path / "tokenizer", MERGES, places=8)


@pytest.fixture
def denoiser_stage(autoencoder, tokenizer, things, photographs):
    torch.manual_seed(0)
    return DenoiserStage(
        new_unet((8, 16), 2, 16),
        new_text_encoder(tokenizer, width=16, layers=1, heads=2, places=8),
        tokenizer,
        captions=[["disc", "a disc"], ["square"]],
        phases=[
            (20, Examples(autoencoder, things, photographs, size=32, count=12, seed=1, sides=(0.5, 0.9)), 8),
            (10, Examples(autoencoder, things, photographs, size=64, count=8, seed=1, sides=(0.5, 0.9)), 4),
        ],
    )


def test_the_autoencoder_s_loss_falls(tmp_path, autoencoder, lpips_weights, things, photographs):
    stage = AutoencoderStage(
        autoencoder,
        Lpips(lpips_weights),
        cutouts=things,
        named=things,
        photographs=photographs,
        phases=[(20, 32, 4)],
    )
    before, after = trained(stage, 20, tmp_path, 5e-3)
    assert after < 0.9 * before


def test_refining_the_decoder_leaves_the_latents_as_they_were(
    tmp_path, autoencoder, lpips_weights, things, photographs
):
    pictures = to_tensor(np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), np.uint8))
    before = autoencoder.encode(pictures).latent_dist.mode()
    decoded = autoencoder.decode(before).sample
    stage = AutoencoderStage(
        autoencoder,
        Lpips(lpips_weights),
        cutouts=things,
        named=things,
        photographs=photographs,
        phases=[(3, 32, 2)],
        decoder_only=True,
    )
    trained(stage, 3, tmp_path, 1e-2)
    assert torch.equal(autoencoder.encode(pictures).latent_dist.mode(), before)
    assert not torch.equal(autoencoder.decode(before).sample, decoded)


def test_the_denoiser_s_loss_falls(tmp_path, denoiser_stage):
    before, after = trained(denoiser_stage, 30, tmp_path, 3e-3)
    assert after < 0.75 * before


def test_a_batch_depends_on_its_step_alone(denoiser_stage):
    later = denoiser_stage.batch(7, 0)
    denoiser_stage.batch(3, 0)
    again = denoiser_stage.batch(7, 0)
    assert all(torch.equal(later[name], again[name]) for name in later)
    assert later["latents"].shape == (8, 10, 4, 4)
    assert denoiser_stage.batch(22, 0)["latents"].shape == (4, 10, 8, 8)


def test_every_example_is_seen_once_an_epoch(denoiser_stage):
    examples = denoiser_stage.phases[1][1]
    denoiser_stage.batch(20, 0)
    assert examples.known.sum() == 4
    denoiser_stage.batch(21, 0)
    assert examples.known.all()


def test_the_masked_picture_is_grey_under_the_mask(autoencoder, things, photographs):
    examples = Examples(autoencoder, things, photographs, size=32, count=20, seed=1, sides=(0.5, 0.9))
    latents, _ = examples.get(np.arange(20))
    full = latents[:, 4].flatten(1).all(1)
    grey = autoencoder.encode(torch.zeros(1, 3, 32, 32)).latent_dist.mode() * autoencoder.config.scaling_factor
    assert full.any()
    torch.testing.assert_close(latents[full][:, 5:9], grey.expand(int(full.sum()), -1, -1, -1), rtol=0.05, atol=0.05)


def test_what_lies_behind_is_shown_under_the_mask(autoencoder, things, photographs):
    examples = Examples(
        autoencoder, things, photographs, size=32, count=20, seed=1, sides=(0.5, 0.9), mirrored=0.0, shown=1.0
    )
    made = [examples._made(index) for index in range(20)]
    assert {one.shown is None for one in made} == {False, True}
    latents, _ = examples.get(np.arange(20))
    for one, masked in zip(made, latents[:, 5:9], strict=True):
        # Over everything nothing is known of the surroundings.
        assert (one.shown is None) == bool(one.mask.all())
        if one.shown is None:
            continue
        seen = to_tensor(np.where(one.mask[..., None], one.shown, one.picture)[None])
        expected = autoencoder.encode(seen).latent_dist.mode()[0] * autoencoder.config.scaling_factor
        torch.testing.assert_close(masked, expected, rtol=0.05, atol=0.05)
        if one.thing >= 0:
            there = one.coverage > 0.99
            assert np.abs(one.shown[there].astype(int) - one.picture[there]).mean() > 20


def test_the_schedule_ends_in_pure_noise():
    scheduler = new_scheduler()
    latents, noise = torch.ones(1, 4, 2, 2), torch.full((1, 4, 2, 2), 3.0)
    torch.testing.assert_close(scheduler.add_noise(latents, noise, torch.tensor([999])), noise)
    scheduler.set_timesteps(20)
    assert int(scheduler.timesteps[0]) == 999


def test_cut_merges_keep_what_the_words_need():
    assert cut_merges(MERGES, {"disc"}, 0) == MERGES[:3]
    assert cut_merges(MERGES, {"disc"}, 5) == MERGES[:5]


def test_words_encode_into_the_pieces_that_the_merges_say(tokenizer):
    assert tokenizer.tokenize("A disc, square") == ["a</w>", "disc</w>", ",</w>", "sq", "ua", "re</w>"]
    assert tokenizer.model_max_length == 8
    encoded = tokenizer("disc", padding="max_length").input_ids
    assert len(encoded) == 8
    assert encoded[0] == tokenizer.bos_token_id
    assert set(encoded[2:]) == {tokenizer.eos_token_id}


def test_a_thing_is_called_by_its_name_most_often():
    captions = captions_of({"name": "apple", "also": ["red apple"]})
    assert captions == ["apple", "apple", "an apple", "red apple"]
    assert words_of(captions) == {"an", "apple", "red"}


def test_what_is_exported_is_a_stock_inpainting_pipeline(tmp_path, autoencoder, denoiser_stage, tokenizer):
    from diffusers import StableDiffusionInpaintPipeline
    from PIL import Image

    built = build.Models(
        autoencoder,
        denoiser_stage.module.unet,
        denoiser_stage.module.text_encoder,
        tokenizer,
        {"autoencoder": 4, "denoiser": 8, "decoder": 0},
    )
    stages = {key: {"phases": [{"steps": 2, "batch": 4}]} for key in built.pictures}
    recipe = {"name": "tiny", "native_size": 64, "things": [{"name": "disc"}, {"name": "square"}], **stages}
    export(built, recipe, tmp_path / "checkpoint")
    pipe = StableDiffusionInpaintPipeline.from_pretrained(tmp_path / "checkpoint", torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    grey = Image.new("RGB", (64, 64), (128, 128, 128))
    shown = pipe(
        "disc", image=grey, mask_image=Image.new("L", (64, 64), 255), height=64, width=64, num_inference_steps=2
    )
    assert shown.images[0].size == (64, 64)
    assert np.asarray(shown.images[0]).std() > 0


def test_pictures_go_to_tensors_and_back():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    assert (to_pictures(to_tensor(pictures)) == pictures).all()
