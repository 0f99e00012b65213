"""FLUX.2 Klein against diffusers' own pipelines: same weights, same latents, float32, at most 1e-4 apart."""

import json

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinInpaintPipeline,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from diffusers.loaders.single_file_utils import convert_flux2_transformer_checkpoint_to_diffusers
from safetensors.torch import load_file
from small_devices import waits
from tiny_flux2 import (
    LORA_LAYOUTS,
    build_tiny_flux2,
    build_tiny_flux2_lora,
    original_flux2_transformer,
    original_flux2_vae,
    save_flux2_files,
)
from torch.nn.functional import avg_pool2d
from transformers import Qwen3Config, Qwen3ForCausalLM, Qwen3Model

from bridge.diffusion import (
    DenoiseInputs,
    EncodedPrompts,
    MaskInput,
    ModelInputs,
    Offload,
    Placement,
    WeightedLora,
    denoise,
    load,
    seeded_noise,
)
from bridge.diffusion.architectures.flux2 import ReferenceTokens, part_classes
from bridge.diffusion.architectures.flux2_names import convert, original_names
from bridge.models import inspect, inspect_lora
from bridge.models.completion import Lent, completed
from bridge.models.components import inspect_components
from bridge.models.families import CONFIGS
from bridge.models.families.flux2 import FLUX2_KLEIN_4B, FLUX2_KLEIN_9B

TOLERANCE = 1e-4
HEIGHT, WIDTH = 64, 96
SIZE = (HEIGHT // 16, WIDTH // 16)
PROMPT = "a red flower"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_tiny_flux2(tmp_path_factory.mktemp("flux2") / "klein")


@pytest.fixture(scope="module")
def model(folder, cpu):
    return load(inspect(folder), cpu, check=lambda: None)


@pytest.fixture(scope="module")
def prompts(model):
    return model.encode_prompts(PROMPT, "")


@pytest.fixture(scope="module")
def pipeline(folder, model):
    """Gives a pipeline of that class over the model's own weights."""

    def get(kind):
        pipe = kind(
            scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler"),
            vae=model.vae,
            text_encoder=Qwen3ForCausalLM.from_pretrained(folder / "text_encoder").eval(),
            tokenizer=model.language_model.tokenizer,
            transformer=model.transformer,
        )
        pipe.set_progress_bar_config(disable=True)
        return pipe

    return get


def begun():
    return seeded_noise([torch.Generator().manual_seed(7)], (128, *SIZE), torch.device("cpu"))


def picture(seed=0):
    return np.random.default_rng(seed).random((HEIGHT, WIDTH, 3), dtype=np.float32)


def hard_mask():
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[..., 16:48, 32:80] = 1
    return mask


def ours(model, prompts, **inputs):
    whole = DenoiseInputs(size=SIZE, prompts=prompts, sampler="Euler", **inputs)
    return denoise(model, whole, [7], check=lambda: None, progress=lambda _: None, preview=lambda *_: None)[0]


def theirs(pipe, **options):
    """Latents as the autoencoder has them."""
    return pipe(prompt=PROMPT, height=HEIGHT, width=WIDTH, output_type="latent", return_dict=False, **options)[0]


def apart(one, other):
    return float((one - other).abs().max())


@pytest.mark.parametrize(("steps", "guidance"), [(4, 1.0), (1, 1.0), (6, 4.0)])
def test_text_to_image(model, prompts, pipeline, steps, guidance):
    expected = theirs(pipeline(Flux2KleinPipeline), num_inference_steps=steps, guidance_scale=guidance, latents=begun())
    found = ours(model, prompts, steps=steps, guidance=guidance, strength=1.0)
    assert float(expected.std()) > 0.1
    assert apart(model.statistics.unnormalized(found), expected) < TOLERANCE


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_inpainting_with_a_hard_mask_and_the_picture_as_reference(model, prompts, pipeline, strength):
    """The pipeline looks at the reference under the mask too, so the picture is filled before."""
    filled = picture()
    filled[hard_mask()[0, 0] > 0] = 0.5
    expected = theirs(
        pipeline(Flux2KleinInpaintPipeline),
        image=torch.from_numpy(filled).permute(2, 0, 1)[None],
        mask_image=hard_mask(),
        strength=strength,
        num_inference_steps=4,
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(7),
    )
    latents, mask = model.encode(filled), hard_mask()[..., ::16, ::16]
    found = ours(
        model,
        prompts,
        steps=4,
        guidance=1.0,
        strength=strength,
        init_latents=latents,
        denoise_mask=mask,
        masked_image_latents=latents,
    )
    assert apart(model.statistics.unnormalized(found), expected) < TOLERANCE
    outside = (mask == 0).expand_as(found)
    assert torch.equal(found[outside], latents[outside])


def test_pictures_are_encoded_and_decoded_as_there(model, pipeline):
    pipe = pipeline(Flux2KleinPipeline)
    pixels = torch.from_numpy(picture()).permute(2, 0, 1)[None] * 2 - 1
    latents = model.encode(picture())
    assert latents.shape == (1, 128, *SIZE)
    with torch.no_grad():
        assert apart(latents, pipe._encode_vae_image(pixels, None)) < 1e-5
        unpatched = model.statistics.unnormalized(latents)
        expected = pipe.vae.decode(unpatched).sample[0].permute(1, 2, 0) / 2 + 0.5
    assert apart(torch.from_numpy(model.decode(latents)), expected.clamp(0, 1)) < 1e-5


def test_references_lie_where_they_do_there(model):
    pictures = [model.encode(picture(seed)) for seed in (1, 2)]
    found = [ReferenceTokens.of(one, None, index) for index, one in enumerate(pictures)]
    expected = Flux2KleinPipeline._prepare_image_ids(pictures)[0]
    assert torch.equal(torch.cat([one.positions for one in found]), expected)
    packed = torch.cat([Flux2KleinPipeline._pack_latents(one) for one in pictures], dim=1)
    assert torch.equal(torch.cat([one.tokens for one in found], dim=1), packed)


def test_a_reference_is_not_looked_at_under_the_mask(model, prompts):
    assert model.mask_input is MaskInput.REFERENCE
    mask = model.encode_mask(hard_mask()[0, 0].numpy())
    reference, other = model.encode(picture(1)), model.encode(picture(2))

    def predicted(reference, mask):
        return model.predict(ModelInputs(begun(), 0.7, prompts.positive, mask=mask, masked_image_latents=reference))

    whole = predicted(reference, mask)
    assert torch.equal(predicted(torch.where(mask > 0, other, reference), mask), whole)
    assert not torch.equal(predicted(torch.where(mask > 0, reference, other), mask), whole)
    nothing = predicted(reference, torch.ones_like(mask))
    assert torch.equal(nothing, predicted(None, None))
    assert not torch.equal(nothing, whole)
    assert not torch.equal(predicted(reference, None), whole)


def test_a_batch_is_what_each_is_alone(model, prompts):
    embeds = model.encode_prompts("the lake", "").positive
    both = model.predict(
        ModelInputs(
            torch.cat([begun(), begun() / 2]),
            0.5,
            prompts.positive.concatenated(embeds),
            mask=model.encode_mask(hard_mask()[0, 0].numpy()),
            masked_image_latents=model.encode(picture()),
        )
    )
    for index, (latents, prompt) in enumerate(((begun(), prompts.positive), (begun() / 2, embeds))):
        alone = model.predict(
            ModelInputs(
                latents,
                0.5,
                prompt,
                mask=model.encode_mask(hard_mask()[0, 0].numpy()),
                masked_image_latents=model.encode(picture()),
            )
        )
        assert apart(both[index], alone[0]) < 1e-5


def test_the_preview_is_that_of_the_autoencoders_own_latents(model):
    """Each patch has the mean colour of its four latents."""
    latents = begun()
    weights, constant = model.latent_to_rgb[:-1], model.latent_to_rgb[-1]
    found = torch.einsum("chw,ck->khw", latents[0], weights) + constant[:, None, None]
    channels = model.vae.config.latent_channels
    unnormalized = model.statistics.unnormalized(latents)
    # Any linear map from these latents' patches is told by what it makes of 0 and of each of them.
    basis = model.statistics.normalized(torch.zeros_like(unnormalized))
    zero = torch.einsum("chw,ck->khw", basis[0], weights) + constant[:, None, None]
    colours = torch.stack(
        [
            torch.einsum(
                "chw,ck->khw",
                model.statistics.normalized(_only(torch.zeros_like(unnormalized), channel))[0] - basis[0],
                weights,
            )[:, 0, 0]
            for channel in range(channels)
        ]
    )
    mean = avg_pool2d(unnormalized, 2)[0]
    assert apart(found, zero + torch.einsum("chw,ck->khw", mean, colours)) < 1e-4
    assert float(colours.abs().max()) > 1e-4


def _only(latents, channel):
    latents[:, channel] = 1
    return latents


def test_both_sizes_are_told_by_their_structure(tmp_path, folder):
    assert inspect(folder).family is FLUX2_KLEIN_4B
    large = inspect(build_tiny_flux2(tmp_path / "large", blocks=6))
    assert large.family is FLUX2_KLEIN_9B
    assert large.family.title == "FLUX.2 Klein 9B"


def test_the_distilled_and_the_base_want_other_steps(tmp_path, folder):
    distilled, base = inspect(folder).card, inspect(build_tiny_flux2(tmp_path / "klein", base=True)).card
    assert (distilled.default_steps, distilled.default_guidance) == (4, 1.0)
    assert (base.default_steps, base.default_guidance) == (50, 4.0)


@pytest.mark.parametrize(
    ("family", "denoiser", "text_encoder"),
    [(FLUX2_KLEIN_4B, 3_875_544_576, 4_022_468_096), (FLUX2_KLEIN_9B, 9_078_581_248, 7_568_405_504)],
)
def test_the_configs_are_of_the_published_sizes(family, denoiser, text_encoder):
    configs = CONFIGS / family.name
    with torch.device("meta"):
        transformer = Flux2Transformer2DModel.from_config(Flux2Transformer2DModel.load_config(configs / "transformer"))
        vae = AutoencoderKLFlux2.from_config(AutoencoderKLFlux2.load_config(configs / "vae"))
        texts = Qwen3Model(Qwen3Config.from_pretrained(configs / "text_encoder"))
    counted = [sum(weight.numel() for weight in one.parameters()) for one in (transformer, vae, texts)]
    assert counted == [denoiser, 84_046_115, text_encoder]
    assert transformer.config.in_channels == family.latent_channels == 4 * vae.config.latent_channels
    assert transformer.config.joint_attention_dim == 3 * texts.config.hidden_size
    assert set(part_classes(family)) == set(family.weighted_parts)


def test_original_names_of_the_transformer(model):
    state = model.transformer.state_dict()
    original = original_flux2_transformer(state)
    found = convert("transformer", original, model.transformer)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())
    expected = convert_flux2_transformer_checkpoint_to_diffusers(dict(original))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert {f"{name}.weight" for name in original_names(model.transformer)} < original.keys()


def test_original_names_of_the_autoencoder(model):
    state = model.vae.state_dict()
    original = original_flux2_vae(state)
    assert "encoder.quant_conv.weight" in original
    assert "decoder.up.3.block.0.conv1.weight" in original
    found = convert("vae", original, model.vae)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


@pytest.fixture(scope="module")
def plain(model, prompts):
    """What it paints before it has ever held a LoRA."""
    return ours(model, prompts, steps=2, guidance=1.0, strength=1.0)


@pytest.mark.parametrize("layout", LORA_LAYOUTS)
def test_loras_in_each_naming_are_put_on_and_taken_off(folder, model, prompts, plain, pipeline, tmp_path, layout):
    path = build_tiny_flux2_lora(folder, tmp_path / "ink.safetensors", layout=layout)
    lora = inspect_lora(path)

    def painted(strength):
        worn = model.configured(model.checkpoint, (WeightedLora(lora, strength),), check=lambda: None)
        return ours(worn, prompts, steps=2, guidance=1.0, strength=1.0)

    whole = painted(1.0)
    assert apart(whole, plain) > 0.01
    assert torch.equal(painted(0.0), plain)
    assert apart(painted(0.5), whole) > 0.01
    # In a pipeline of its own, since both lay theirs into the modules.
    pipe = pipeline(Flux2KleinPipeline)
    pipe.transformer = Flux2Transformer2DModel.from_pretrained(folder / "transformer").eval()
    pipe.load_lora_weights(
        {name.replace("base_model.model.", "transformer."): one for name, one in load_file(path).items()}
    )
    expected = theirs(pipe, num_inference_steps=2, guidance_scale=1.0, latents=begun())
    assert apart(model.statistics.unnormalized(whole), expected) < TOLERANCE


def test_parts_that_wait_outside_the_device_paint_the_same(folder, model, plain, cpu, tmp_path):
    lean = load(inspect(folder), cpu, check=lambda: None, placement=Placement(Offload.ALL))
    assert all(waits(part) for part in lean.modules.values())
    prompts = lean.encode_prompts(PROMPT, "")
    assert torch.equal(ours(lean, prompts, steps=2, guidance=1.0, strength=1.0), plain)
    assert torch.equal(lean.encode(picture()), model.encode(picture()))
    assert np.array_equal(lean.decode(plain), model.decode(plain))
    lora = inspect_lora(build_tiny_flux2_lora(folder, tmp_path / "ink.safetensors", layout="kohya"))
    worn = [one.configured(one.checkpoint, (WeightedLora(lora, 1.0),), check=lambda: None) for one in (lean, model)]
    found, expected = (ours(one, prompts, steps=1, guidance=1.0, strength=1.0) for one in worn)
    assert torch.equal(found, expected)
    model.configured(model.checkpoint, (), check=lambda: None)


@pytest.mark.parametrize("original", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_files_paint_what_the_folder_paints(folder, plain, cpu, tmp_path, whole, original):
    path = save_flux2_files(folder, tmp_path, whole=whole, original=original)
    checkpoint = inspect(path)
    assert checkpoint.family is FLUX2_KLEIN_4B
    assert sorted(want.part for want in checkpoint.wants) == ([] if whole else ["text_encoder", "vae"])
    beside = [inspect_components(tmp_path / f"{name}.safetensors") for name in ("flux2-vae", "qwen_3_4b") if not whole]
    lent = Lent([("", one) for found in beside for one in found.found], ())
    model = load(completed(checkpoint, lent, program=""), cpu, check=lambda: None)
    found = ours(model, model.encode_prompts(PROMPT, ""), steps=2, guidance=1.0, strength=1.0)
    assert torch.equal(found, plain)


def test_prompts_are_equally_long(model):
    prompts = model.encode_prompts("a (red:1.3) flower", "sky")
    assert isinstance(prompts, EncodedPrompts)
    assert prompts.positive.embeds.shape == (1, 512, 48)
    assert any("no effect" in hint for hint in prompts.hints)
    index = json.loads((model.checkpoint.path / "model_index.json").read_text(encoding="utf-8"))
    assert index["_class_name"] == "Flux2KleinPipeline"
