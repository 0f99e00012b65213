"""FLUX.1 against diffusers' own pipelines: same weights, same latents, float32, at most 1e-4 apart."""

from itertools import product

import numpy as np
import pytest
import torch
from component_files import PartFile, clip_file, flux_vae_file, save_as_files
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxFillPipeline,
    FluxInpaintPipeline,
    FluxPipeline,
    FluxTransformer2DModel,
)
from safetensors.torch import load_file
from tiny_flux1 import LORA_LAYOUTS, build_tiny_flux1, build_tiny_flux1_lora, original_flux1_transformer
from torch.nn.functional import pixel_shuffle, pixel_unshuffle
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

from bridge.diffusion import DenoiseInputs, MaskInput, WeightedLora, denoise, load, seeded_noise
from bridge.diffusion.architectures.flux1 import part_classes
from bridge.diffusion.architectures.flux1_names import convert, original_names
from bridge.models import inspect
from bridge.models.completion import Lent, completed
from bridge.models.components import inspect_components
from bridge.models.families import CONFIGS
from bridge.models.families.flux1 import FLUX1
from bridge.models.lora import inspect_lora

TOLERANCE = 1e-4
HEIGHT, WIDTH = 64, 96
SIZE = (HEIGHT // 8, WIDTH // 8)
PROMPT = "a red flower"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Gives a tiny one's folder, by its kind."""
    root = tmp_path_factory.mktemp("flux1")

    def get(kind):
        path = root / f"tiny_{kind}"
        return path if path.exists() else build_tiny_flux1(path, kind=kind)

    return get


@pytest.fixture(scope="module")
def model(folder, cpu):
    """Gives the model, by its kind."""
    held = {}

    def get(kind="dev"):
        if kind not in held:
            held[kind] = load(inspect(folder(kind)), cpu, check=lambda: None)
        return held[kind]

    return get


def pipeline(kind, model, folder, **parts):
    pipe = kind(
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
        vae=model.vae,
        text_encoder=model.clip.module,
        tokenizer=model.clip.tokenizer,
        text_encoder_2=model.t5.module,
        tokenizer_2=model.t5.tokenizer,
        **{"transformer": model.transformer, **parts},
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def begun():
    return seeded_noise([torch.Generator().manual_seed(7)], (16, *SIZE), torch.device("cpu"))


def packed(latents):
    return pixel_unshuffle(latents, 2).flatten(2).transpose(1, 2)


def unpacked(tokens):
    return pixel_shuffle(tokens.transpose(1, 2).reshape(len(tokens), -1, SIZE[0] // 2, SIZE[1] // 2), 2)


def picture(seed=0):
    return np.random.default_rng(seed).random((HEIGHT, WIDTH, 3), dtype=np.float32)


def hard_mask():
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[..., 16:48, 32:80] = 1
    return mask


def ours(model, *, guidance, negative="", **inputs):
    guided = guidance != 1 and not model.guidance_embeds
    prompts = model.encode_prompts(PROMPT, negative, guided=guided)
    whole = DenoiseInputs(size=SIZE, prompts=prompts, sampler="Euler", guidance=guidance, **inputs)
    return denoise(model, whole, [7], check=lambda: None, progress=lambda _: None, preview=lambda *_: None)[0]


def theirs(pipe, **options):
    asked = {"prompt": PROMPT, "height": HEIGHT, "width": WIDTH, **options}
    return unpacked(pipe(output_type="latent", return_dict=False, **asked)[0])


def apart(one, other):
    return float((one - other).abs().max())


@pytest.mark.parametrize(("steps", "guidance"), [(4, 3.5), (1, 1.0), (20, 5.0)])
def test_dev_is_told_the_guidance(model, folder, steps, guidance):
    dev = model()
    pipe = pipeline(FluxPipeline, dev, folder("dev"))
    expected = theirs(pipe, num_inference_steps=steps, guidance_scale=guidance, latents=packed(begun()))
    assert dev.guidance_embeds
    assert apart(ours(dev, steps=steps, guidance=guidance, strength=1.0), expected) < TOLERANCE
    assert apart(begun(), expected) > 0.1


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_schnell_is_asked_with_and_without_the_prompt_if_guided(model, folder, guidance):
    schnell = model("schnell")
    expected = theirs(
        pipeline(FluxPipeline, schnell, folder("schnell")),
        negative_prompt="blue sky",
        true_cfg_scale=guidance,
        num_inference_steps=4,
        latents=packed(begun()),
        max_sequence_length=256,
    )
    assert not schnell.guidance_embeds
    assert apart(ours(schnell, steps=4, guidance=guidance, negative="blue sky", strength=1.0), expected) < TOLERANCE


def test_fill_sees_the_mask_pixel_by_pixel(model, folder, monkeypatch):
    """There the picture's latents are drawn from the posterior, and here it is the mode."""
    monkeypatch.setattr(
        "diffusers.pipelines.flux.pipeline_flux_fill.retrieve_latents", lambda encoded, **_: encoded.latent_dist.mode()
    )
    fill = model("fill")
    assert fill.mask_input is MaskInput.CHANNELS
    mask = hard_mask()
    # A mask whose edges lie within latents, which only its 64 channels tell.
    mask[..., 45:48, 32:80] = 0
    blank = mask[0, 0].numpy()[..., None] > 0
    masked = fill.encode(np.where(blank, np.float32(0.5), picture()))
    told = fill.encode_mask(mask[0, 0].numpy())
    assert told.shape == (1, 64, *SIZE)
    expected = theirs(
        pipeline(FluxFillPipeline, fill, folder("fill")),
        image=torch.from_numpy(picture()).permute(2, 0, 1)[None],
        mask_image=mask,
        num_inference_steps=4,
        guidance_scale=30.0,
        generator=torch.Generator().manual_seed(7),
    )
    found = ours(fill, steps=4, guidance=30.0, strength=1.0, masked_image_latents=masked, mask=told)
    assert apart(found, expected) < TOLERANCE
    unmasked = ours(fill, steps=4, guidance=30.0, strength=1.0, masked_image_latents=masked, mask=told * 0)
    assert apart(unmasked, found) > 0.001


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_inpainting_with_a_hard_mask(model, folder, strength, monkeypatch):
    """There the picture's latents are drawn from the posterior, and here it is the mode."""
    dev = model()
    init_latents = dev.encode(picture())
    monkeypatch.setattr(FluxInpaintPipeline, "_encode_vae_image", lambda *_, **__: init_latents)
    expected = theirs(
        pipeline(FluxInpaintPipeline, dev, folder("dev")),
        image=torch.from_numpy(picture()).permute(2, 0, 1)[None],
        mask_image=hard_mask(),
        strength=strength,
        num_inference_steps=4,
        guidance_scale=3.5,
        generator=torch.Generator().manual_seed(7),
    )
    mask = hard_mask()[..., ::8, ::8]
    found = ours(dev, steps=4, guidance=3.5, strength=strength, init_latents=init_latents, denoise_mask=mask)
    assert apart(found, expected) < TOLERANCE


def test_variants_are_told_by_content_and_by_name(tmp_path, folder):
    kinds = {kind: inspect(folder(kind)) for kind in ("dev", "schnell", "fill")}
    assert {one.family for one in kinds.values()} == {FLUX1}
    assert {kind: one.variant.name for kind, one in kinds.items()} == {kind: kind for kind in kinds}
    assert [kinds[kind].variant.shift for kind in kinds] == [None, 1.0, None]
    assert [one.inpaint for one in kinds.values()] == [False, False, True]
    cards = [(one.card.default_steps, one.card.default_guidance) for one in kinds.values()]
    assert cards == [(28, 3.5), (4, 1.0), (28, 30.0)]
    krea = inspect(build_tiny_flux1(tmp_path / "FLUX.1-Krea-dev"))
    assert (krea.variant.name, krea.card.default_guidance) == ("krea", 4.5)


def test_what_does_not_fit_is_named_and_weights_change_nothing(model):
    dev = model()
    long = "red " * 600 + "flower"
    prompts = dev.encode_prompts(long, "sky", guided=False)
    assert prompts.hints[0].startswith('The prompt is too long for this checkpoint; it left out "red')
    assert "takes no negative prompt" in prompts.hints[1]
    assert prompts.positive.embeds.shape == (1, 512, 16)
    plain, weighted = (dev.encode_prompts(text, "", guided=False).positive for text in ("a red sky", "a (red:1.3) sky"))
    assert torch.equal(plain.embeds, weighted.embeds)
    assert torch.equal(plain.pooled, weighted.pooled)


def test_the_configs_are_of_the_published_sizes():
    configs = CONFIGS / FLUX1.name
    with torch.device("meta"):
        transformer = FluxTransformer2DModel.from_config(FluxTransformer2DModel.load_config(configs / "transformer"))
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(configs / "vae"))
        clip = CLIPTextModel(CLIPTextConfig.from_pretrained(configs / "text_encoder"))
        t5 = T5EncoderModel(T5Config.from_pretrained(configs / "text_encoder_2"))
    counted = [sum(weight.numel() for weight in one.parameters()) for one in (transformer, vae, clip, t5)]
    assert counted == [11_901_408_320, 83_819_683, 123_060_480, 4_762_310_656]
    assert transformer.config.joint_attention_dim == t5.config.d_model
    assert transformer.config.pooled_projection_dim == clip.config.hidden_size
    assert set(part_classes(FLUX1)) == set(FLUX1.weighted_parts)


@pytest.mark.parametrize("kind", ["dev", "schnell", "fill"])
def test_original_names_of_the_transformer(folder, kind):
    transformer = FluxTransformer2DModel.from_pretrained(folder(kind) / "transformer")
    state = transformer.state_dict()
    original = original_flux1_transformer(state)
    assert "single_blocks.1.linear1.bias" in original
    found = convert("transformer", original, transformer)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


@pytest.fixture(scope="module")
def plain(model):
    """What it paints before it has ever held a LoRA."""
    return ours(model(), steps=2, guidance=3.5, strength=1.0)


@pytest.mark.parametrize("layout", LORA_LAYOUTS)
def test_loras_in_each_naming_are_put_on_and_taken_off(folder, model, plain, tmp_path, layout):
    dev = model()
    path = build_tiny_flux1_lora(folder("dev"), tmp_path / "ink.safetensors", layout=layout)
    lora = inspect_lora(path)
    assert lora.family is FLUX1

    def painted(strength):
        worn = dev.configured(dev.checkpoint, (WeightedLora(lora, strength),), check=lambda: None)
        return ours(worn, steps=2, guidance=3.5, strength=1.0)

    whole = painted(1.0)
    assert apart(whole, plain) > 0.01
    assert torch.equal(painted(0.0), plain)
    # In a pipeline of its own, since both lay theirs into the modules; diffusers splits original layers of one size.
    path = build_tiny_flux1_lora(folder("dev"), tmp_path / "same.safetensors", layout="diffusers")
    bare = FluxTransformer2DModel.from_pretrained(folder("dev") / "transformer").eval()
    pipe = pipeline(FluxPipeline, dev, folder("dev"), transformer=bare)
    pipe.load_lora_weights(load_file(path))
    expected = theirs(pipe, num_inference_steps=2, guidance_scale=3.5, latents=packed(begun()))
    assert apart(whole, expected) < TOLERANCE
    assert {name for paths in original_names(bare).values() for name in paths} >= {"x_embedder", "proj_out"}


@pytest.mark.parametrize(
    ("kind", "whole", "original"),
    [*(("dev", *one) for one in product((True, False), repeat=2)), ("schnell", False, True), ("fill", True, True)],
)
def test_files_paint_what_the_folder_paints(folder, cpu, tmp_path, kind, whole, original):
    parts = {
        "transformer": PartFile("", "model.diffusion_model.", original_flux1_transformer),
        "vae": flux_vae_file(folder(kind)),
        "text_encoder": clip_file("clip_l", "text_encoders.clip_l.transformer."),
        "text_encoder_2": PartFile("t5xxl", "text_encoders.t5xxl.transformer."),
    }
    path = save_as_files(folder(kind), tmp_path, parts, name="flux", whole=whole, original=original)
    checkpoint = inspect(path)
    assert (checkpoint.family, checkpoint.variant.name) == (FLUX1, kind)
    assert checkpoint.inpaint == (kind == "fill")
    apart = () if whole else ("ae", "clip_l", "t5xxl")
    beside = [inspect_components(tmp_path / f"{name}.safetensors") for name in apart]
    wanted = [] if whole else ["text_encoder", "text_encoder_2", "vae"]
    assert sorted(want.part for want in checkpoint.wants) == wanted
    lent = Lent([("", one) for found in beside for one in found.found], ())
    found, expected = (
        ours(load(one, cpu, check=lambda: None), steps=1, guidance=2.0, strength=1.0, **_seen(kind))
        for one in (completed(checkpoint, lent, program=""), inspect(folder(kind)))
    )
    assert torch.equal(found, expected)


def _seen(kind):
    if kind != "fill":
        return {}
    return {"mask": torch.ones(1, 64, *SIZE), "masked_image_latents": begun()}
