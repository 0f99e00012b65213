"""Z-Image against diffusers' own pipelines: same weights, same latents, float32, at most 1e-4 apart."""

import re
import shutil

import numpy as np
import pytest
import torch
from component_files import PartFile, flux_vae_file, save_as_files
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    ZImageControlNetInpaintPipeline,
    ZImageControlNetModel,
    ZImageControlNetPipeline,
    ZImageInpaintPipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from safetensors.torch import load_file
from tiny_z_image import (
    LORA_LAYOUTS,
    build_tiny_z_image,
    build_tiny_z_image_lora,
    original_z_image_transformer,
)
from tiny_z_image_controlnets import build_tiny_z_image_controlnet
from transformers import Qwen3Config, Qwen3Model

from bridge.diffusion import (
    DenoiseInputs,
    GuideInput,
    ModelInputs,
    WeightedConditioner,
    WeightedLora,
    denoise,
    load,
    seeded_noise,
)
from bridge.diffusion.architectures.z_image import convert, part_classes
from bridge.diffusion.conditioning import guide_loader
from bridge.models import inspect
from bridge.models.completion import Lent, completed
from bridge.models.components import inspect_components
from bridge.models.controlnet import inspect_controlnet
from bridge.models.families import CONFIGS
from bridge.models.families.z_image import Z_IMAGE
from bridge.models.lora import inspect_lora

TOLERANCE = 1e-4
HEIGHT, WIDTH = 64, 96
SIZE = (HEIGHT // 8, WIDTH // 8)
PROMPT, NEGATIVE = "a red flower", "blue sky of the lake"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_tiny_z_image(tmp_path_factory.mktemp("z_image") / "turbo")


@pytest.fixture(scope="module")
def model(folder, cpu):
    return load(inspect(folder), cpu, check=lambda: None)


@pytest.fixture(scope="module")
def pipeline(model):
    """Gives a pipeline of that class over the model's own weights."""

    def get(kind, **parts):
        pipe = kind(
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
            vae=model.vae,
            text_encoder=model.language_model.module,
            tokenizer=model.language_model.tokenizer,
            transformer=model.transformer,
            **parts,
        )
        pipe.set_progress_bar_config(disable=True)
        return pipe

    return get


@pytest.fixture(scope="module")
def controlnet(tmp_path_factory):
    """Gives a ControlNet, on disk and as its loader loads it."""
    folder = tmp_path_factory.mktemp("controlnets")

    def get(*, inpaints):
        files = inspect_controlnet(build_tiny_z_image_controlnet(folder / f"net{inpaints}", inpaints=inpaints))
        return files, guide_loader(files).load(files, torch.float32).eval()

    return get


def begun():
    return seeded_noise([torch.Generator().manual_seed(7)], (16, *SIZE), torch.device("cpu"))


def picture(seed=0):
    return np.random.default_rng(seed).random((HEIGHT, WIDTH, 3), dtype=np.float32)


def pixels(rgb):
    return torch.from_numpy(rgb).permute(2, 0, 1)[None]


def hard_mask():
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[..., 16:48, 32:80] = 1
    return mask


def ours(model, *, guidance=1.0, **inputs):
    prompts = model.encode_prompts(PROMPT, NEGATIVE, guided=guidance != 1)
    whole = DenoiseInputs(size=SIZE, prompts=prompts, sampler="Euler", guidance=guidance, **inputs)
    return denoise(model, whole, [7], check=lambda: None, progress=lambda _: None, preview=lambda *_: None)[0]


def theirs(pipe, *, guidance=1.0, **options):
    """Their guidance is 0 where ours is 1."""
    asked = {"prompt": PROMPT, "negative_prompt": NEGATIVE, "height": HEIGHT, "width": WIDTH, **options}
    return pipe(guidance_scale=guidance - 1, output_type="latent", return_dict=False, **asked)[0]


def apart(one, other):
    return float((one - other).abs().max())


@pytest.mark.parametrize(("steps", "guidance"), [(9, 1.0), (1, 1.0), (6, 4.0)])
def test_text_to_image(model, pipeline, steps, guidance):
    expected = theirs(pipeline(ZImagePipeline), num_inference_steps=steps, guidance=guidance, latents=begun())
    found = ours(model, steps=steps, guidance=guidance, strength=1.0)
    assert float((expected - begun()).abs().mean()) > 0.1
    assert apart(found, expected) < TOLERANCE


@pytest.mark.parametrize(("guidance", "strength"), [(1.0, 1.0), (3.0, 1.0), (1.0, 0.5)])
def test_inpainting_with_a_hard_mask(model, pipeline, guidance, strength, monkeypatch):
    """Of the same picture and noise; there the picture's latents are drawn from the posterior, here it is the mode."""
    init_latents = model.encode(picture())

    def prepared(pipe, _image, timestep, *_):
        return pipe.scheduler.scale_noise(init_latents, timestep, begun()), begun(), init_latents

    monkeypatch.setattr(ZImageInpaintPipeline, "prepare_latents", prepared)
    expected = theirs(
        pipeline(ZImageInpaintPipeline),
        image=pixels(picture()),
        mask_image=hard_mask(),
        strength=strength,
        num_inference_steps=4,
        guidance=guidance,
    )
    mask = hard_mask()[..., ::8, ::8]
    found = ours(model, steps=4, guidance=guidance, strength=strength, init_latents=init_latents, denoise_mask=mask)
    assert apart(found, expected) < TOLERANCE
    outside = (mask == 0).expand_as(found)
    assert apart(found[outside], init_latents[outside]) < 1e-6


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_inpainting_by_a_controlnet(model, pipeline, controlnet, guidance):
    """There a control picture is a must; one without any latents takes its place. Tensors are taken as they are."""
    files, net = controlnet(inpaints=True)
    assert files.inpainting is not None
    pipe = pipeline(ZImageControlNetInpaintPipeline, controlnet=ZImageControlNetModel.from_pretrained(files.path))
    pipe.controlnet.register_forward_pre_hook(_without_control, with_kwargs=True)
    expected = theirs(
        pipe,
        image=pixels(picture()) * 2 - 1,
        mask_image=hard_mask(),
        control_image=pixels(picture()) * 2 - 1,
        controlnet_conditioning_scale=1.0,
        num_inference_steps=4,
        guidance=guidance,
        latents=begun(),
    )
    shown = GuideInput(pixels(picture()), None, hard_mask())
    conditioner = WeightedConditioner(guide_loader(files).prepare(net, shown, model))
    plain = ours(model, steps=4, guidance=guidance, strength=1.0)
    found = ours(model, steps=4, guidance=guidance, strength=1.0, conditioners=(conditioner,))
    assert apart(found, expected) < TOLERANCE
    assert apart(found, plain) > 0.01


def _without_control(_, given, named):
    latents, timestep, prompts, context = given
    context = context.clone()
    context[:, :16] = 0
    return (latents, timestep, prompts, context), named


@pytest.mark.parametrize("inpaints", [True, False])
def test_a_controlnet_shown_a_control_picture(model, pipeline, controlnet, inpaints):
    files, net = controlnet(inpaints=inpaints)
    pipe = pipeline(ZImageControlNetPipeline, controlnet=ZImageControlNetModel.from_pretrained(files.path))
    expected = theirs(
        pipe,
        control_image=pixels(picture()) * 2 - 1,
        controlnet_conditioning_scale=1.0,
        num_inference_steps=4,
        latents=begun(),
    )
    shown = GuideInput(pixels(picture()), "scribble")
    conditioner = WeightedConditioner(guide_loader(files).prepare(net, shown, model))
    assert apart(ours(model, steps=4, strength=1.0, conditioners=(conditioner,)), expected) < TOLERANCE


def test_a_controlnet_looks_at_nothing_under_the_mask_and_keeps_nothing_of_the_transformer(model, controlnet):
    files, net = controlnet(inpaints=True)
    own = set(net.state_dict())
    other = np.where(hard_mask()[0, 0, ..., None] > 0, picture(1), picture()).astype(np.float32)

    def conditioner(rgb, strength=1.0, mask=None, part=slice(None)):
        shown = GuideInput(pixels(rgb)[..., part], None, hard_mask()[..., part])
        return WeightedConditioner(guide_loader(files).prepare(net, shown, model), strength, mask=mask)

    def effect(rgb, strength=1.0, mask=None):
        return acting(conditioner(rgb, strength, mask), begun())

    def acting(one, latents):
        return one.effect(ModelInputs(latents, 0.3, model.encode_prompts(PROMPT, "").positive), {}).after

    whole = effect(picture())
    assert whole.keys() == {0, 2}
    assert all(torch.equal(whole[block], one) for block, one in effect(other).items())
    assert set(net.state_dict()) == own
    half = torch.zeros(1, 1, HEIGHT, WIDTH)
    half[..., :, : WIDTH // 2] = 1
    masked = effect(picture(), 0.5, half)
    columns = torch.arange(SIZE[0] * SIZE[1] // 4) % (SIZE[1] // 2)
    for block, residual in whole.items():
        tokens = masked[block][0, : len(columns)]
        expected = residual[0, : len(columns)] * 0.5
        assert torch.equal(tokens[columns < SIZE[1] // 4], expected[columns < SIZE[1] // 4])
        assert float(tokens[columns >= SIZE[1] // 4].abs().max()) == 0
        assert float(masked[block][0, len(columns) :].abs().max()) == 0
    part, latents = slice(16, 64), begun()[..., 2:8]
    tile = acting(conditioner(picture()).crop(slice(0, HEIGHT), part), latents)
    alone = acting(conditioner(picture(), part=part), latents)
    assert all(torch.equal(tile[block], one) for block, one in alone.items())


def test_pictures_are_encoded_and_decoded_at_the_autoencoders_scale(model):
    latents = model.encode(picture())
    assert latents.shape == (1, 16, *SIZE)
    with torch.no_grad():
        mode = model.vae.encode(pixels(picture()) * 2 - 1).latent_dist.mode()
        expected = model.vae.decode(latents / 0.3611 + 0.1159).sample[0].permute(1, 2, 0) / 2 + 0.5
    assert apart(latents, (mode - 0.1159) * 0.3611) < 1e-5
    assert apart(torch.from_numpy(model.decode(latents)), expected.clamp(0, 1)) < 1e-5


def test_a_batch_is_what_each_is_alone(model):
    prompts = model.encode_prompts(PROMPT, NEGATIVE)
    both = prompts.positive.concatenated(prompts.negative)
    latents = torch.cat([begun(), begun() / 2])
    predicted = model.predict(ModelInputs(latents, 0.3, both))
    for index, prompt in enumerate((prompts.positive, prompts.negative)):
        alone = model.predict(ModelInputs(latents[[index]], 0.3, prompt))
        assert apart(predicted[index], alone[0]) < 1e-5


def test_the_variant_is_told_by_the_schedule(tmp_path, folder):
    turbo, base = inspect(folder), inspect(build_tiny_z_image(tmp_path / "some_turbo", base=True))
    assert turbo.family is base.family is Z_IMAGE
    assert (turbo.variant.name, turbo.card.default_steps, turbo.card.default_guidance) == ("turbo", 9, 1.0)
    assert (base.variant.name, base.card.default_steps, base.card.default_guidance) == ("base", 30, 5.0)
    assert (turbo.variant.shift, base.variant.shift) == (3.0, 6.0)


def test_the_configs_are_of_the_published_sizes():
    configs = CONFIGS / Z_IMAGE.name
    with torch.device("meta"):
        transformer = ZImageTransformer2DModel.from_config(
            ZImageTransformer2DModel.load_config(configs / "transformer")
        )
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(configs / "vae"))
        text = Qwen3Model(Qwen3Config.from_pretrained(configs / "text_encoder"))
        net = ZImageControlNetModel.from_config(ZImageControlNetModel.load_config(configs / "controlnet"))
    counted = [sum(weight.numel() for weight in one.parameters()) for one in (transformer, vae, text, net)]
    assert counted == [6_154_908_736, 83_819_683, 4_022_468_096, 3_356_225_792]
    assert transformer.config.cap_feat_dim == text.config.hidden_size
    assert set(part_classes(Z_IMAGE)) == set(Z_IMAGE.weighted_parts)


def test_original_names_of_the_transformer(model):
    state = model.transformer.state_dict()
    original = original_z_image_transformer(state)
    assert "layers.0.attention.qkv.weight" in original
    found = convert("transformer", original, model.transformer)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


@pytest.fixture(scope="module")
def plain(model):
    """What it paints before it has ever held a LoRA."""
    return ours(model, steps=2, strength=1.0)


@pytest.mark.parametrize("layout", LORA_LAYOUTS)
def test_loras_in_each_naming_are_put_on_and_taken_off(folder, model, plain, pipeline, tmp_path, layout):
    path = build_tiny_z_image_lora(folder, tmp_path / "ink.safetensors", layout=layout)
    lora = inspect_lora(path)
    assert lora.family is Z_IMAGE

    def painted(strength):
        worn = model.configured(model.checkpoint, (WeightedLora(lora, strength),), check=lambda: None)
        return ours(worn, steps=2, strength=1.0)

    whole = painted(1.0)
    assert apart(whole, plain) > 0.01
    assert torch.equal(painted(0.0), plain)
    assert apart(painted(0.5), whole) > 0.01
    # In a pipeline of its own, since both lay theirs into the modules.
    pipe = pipeline(ZImagePipeline)
    pipe.transformer = ZImageTransformer2DModel.from_pretrained(folder / "transformer").eval()
    pipe.load_lora_weights(_known_to_diffusers(load_file(path)))
    assert apart(whole, theirs(pipe, num_inference_steps=2, latents=begun())) < TOLERANCE


def _known_to_diffusers(tensors):
    """It splits queries, keys and values in files alone whose names are of another kind."""
    dotted = any("_qkv." in name for name in tensors)
    return {re.sub(r"\.lora_(down|up)\.", r".lora.\1.", name) if dotted else name: one for name, one in tensors.items()}


def test_files_of_another_schedule_by_their_name_are_another_checkpoint(folder, tmp_path):
    parts = {"transformer": PartFile("", "model.diffusion_model.", original_z_image_transformer)}
    path = save_as_files(folder, tmp_path, parts, name="file", whole=True, original=True)
    names = ("ink_turbo", "ink_base", "another_turbo")
    turbo, base, other = (inspect(shutil.copy(path, tmp_path / f"{name}.safetensors")) for name in names)
    assert [one.variant.name for one in (turbo, base, other)] == ["turbo", "base", "turbo"]
    assert turbo.hash == turbo.known_hash() == other.hash
    assert base.hash != turbo.hash


@pytest.mark.parametrize("original", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_files_paint_what_the_folder_paints(folder, plain, cpu, tmp_path, whole, original):
    parts = {
        "transformer": PartFile("", "model.diffusion_model.", original_z_image_transformer),
        "vae": flux_vae_file(folder),
        "text_encoder": PartFile("qwen_3_4b", "text_encoders.qwen3_4b.transformer."),
    }
    path = save_as_files(folder, tmp_path, parts, name="z_image_turbo", whole=whole, original=original)
    checkpoint = inspect(path)
    assert (checkpoint.family, checkpoint.variant.name) == (Z_IMAGE, "turbo")
    assert sorted(want.part for want in checkpoint.wants) == ([] if whole else ["text_encoder", "vae"])
    beside = [inspect_components(tmp_path / f"{name}.safetensors") for name in ("ae", "qwen_3_4b") if not whole]
    lent = Lent([("", one) for found in beside for one in found.found], ())
    model = load(completed(checkpoint, lent, program=""), cpu, check=lambda: None)
    assert torch.equal(ours(model, steps=2, strength=1.0), plain)
