"""IP-Adapters for SD1 and SDXL: as in diffusers, by role, strength and mask, and put on for one prediction alone."""

import shutil

import numpy as np
import pytest
import torch
from accelerate import init_empty_weights
from diffusers import DDIMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl
from tiny_ip_adapters import ENCODER_SIDE, build_tiny_image_encoder, build_tiny_ip_adapter
from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection

from bridge.diffusion import DenoiseInputs, Device, GuideInput, ModelCache, WeightedConditioner, denoise, guide_loader
from bridge.diffusion.conditioning.ip_adapter import layers_of_role
from bridge.models import CheckpointUnsupported, ConditionUnsupported, ControlNetRegistry, inspect, inspect_controlnet
from bridge.models.families import CONFIGS

CPU = Device("cpu", "test", 1 << 30, "float32", "")
BUILDS = {"SD1": (build_tiny_sd1, StableDiffusionPipeline), "SDXL": (build_tiny_sdxl, StableDiffusionXLPipeline)}
FILES = {
    ("SD1", False): "ip-adapter_sd15",
    ("SD1", True): "ip-adapter-plus_sd15",
    ("SDXL", False): "ip-adapter_sdxl",
    ("SDXL", True): "ip-adapter-plus_sdxl_vit-h",
}


def none(*_):
    pass


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of IP-Adapters, a cache, and a model of each family."""
    folder, cache = tmp_path_factory.mktemp("ip"), ModelCache(CPU)
    checkpoints = {name: build(folder / name, inpaint=False) for name, (build, _) in BUILDS.items()}
    nets = folder / "models" / "controlnet"
    for (family, plus), name in FILES.items():
        build_tiny_ip_adapter(checkpoints[family], nets / f"{name}.safetensors", plus=plus)
    build_tiny_image_encoder(folder / "models" / "clip_vision" / "vit")
    return folder, cache, {name: cache.get(inspect(path), check=none) for name, path in checkpoints.items()}


@pytest.fixture(scope="module")
def seen():
    """A picture of just the encoder's size, which needs no resampling."""
    return np.random.default_rng(5).integers(0, 256, (ENCODER_SIDE, ENCODER_SIDE, 3), np.uint8)


def guide(made, family, plus, seen, role="subject", **options):
    folder, cache, models = made
    net = inspect_controlnet(folder / "models" / "controlnet" / f"{FILES[family, plus]}.safetensors")
    (network,) = cache.guides([net], check=none)
    picture = torch.from_numpy(seen.astype(np.float32) / 255).permute(2, 0, 1)[None]
    prepared = guide_loader(net).prepare(network, GuideInput(picture, "reference", role=role), models[family])
    return WeightedConditioner(prepared, **options)


def painted(model, *guides, guidance=3.0):
    prompts = model.encode_prompts("a red flower", "blue sky")
    values = {"sampler": "DDIM", "steps": 4, "guidance": guidance, "strength": 1.0, "conditioners": guides}
    return denoise(model, DenoiseInputs((8, 8), prompts, **values), [7], check=none, progress=none, preview=none)[0]


def apart(one, other):
    return float((one - other).abs().max())


def theirs(made, family, plus, seen, scale, guidance=3.0):
    folder, _, models = made
    kind = BUILDS[family][1]
    pipe = kind.from_pretrained(
        models[family].checkpoint.path,
        local_files_only=True,
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(folder / "models" / "clip_vision" / "vit"),
        feature_extractor=CLIPImageProcessor(size={"shortest_edge": ENCODER_SIDE}, crop_size=ENCODER_SIDE),
    )
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    pipe.set_progress_bar_config(disable=True)
    pipe.load_ip_adapter(
        str(folder), subfolder="models/controlnet", weight_name=f"{FILES[family, plus]}.safetensors",
        image_encoder_folder=None, local_files_only=True,
    )  # fmt: skip
    pipe.set_ip_adapter_scale(scale)
    return pipe(
        "a red flower", negative_prompt="blue sky", num_inference_steps=4, guidance_scale=guidance, height=64, width=64,
        latents=torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(7)), output_type="latent",
        ip_adapter_image=Image.fromarray(seen),
    ).images  # fmt: skip


@pytest.mark.parametrize(("family", "plus"), FILES)
def test_it_is_looked_at_as_in_diffusers(made, seen, family, plus):
    model = made[2][family]
    plain = painted(model)
    found = painted(model, guide(made, family, plus, seen, strength=0.7))
    assert apart(found, theirs(made, family, plus, seen, 0.7)) < 1e-4
    assert apart(found, plain) > 0.01
    # It is put on for one prediction at a time.
    assert torch.equal(painted(model), plain)


def test_its_style_is_looked_at_by_the_layers_of_style(made, seen):
    model = made[2]["SDXL"]
    style = guide(made, "SDXL", False, seen, "style")
    found = painted(model, style)
    assert apart(found, theirs(made, "SDXL", False, seen, {"up": {"block_0": [0.0, 1.0]}})) < 1e-4
    assert apart(found, painted(model, guide(made, "SDXL", False, seen))) > 1e-3
    with pytest.raises(ConditionUnsupported, match="layers"):
        guide(made, "SDXL", False, seen, "layout")


def test_the_layers_of_style_and_layout_of_sdxl():
    with init_empty_weights():
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(CONFIGS / "SDXL" / "unet"))
    names = [name for name, _ in unet.named_modules() if name.endswith(".attn2")]
    found = {
        role: [names[number] for number in sorted(layers_of_role(names, role))]
        for role in ("subject", "style", "layout")
    }
    assert [len(found[role]) for role in ("subject", "style", "layout")] == [70, 10, 10]
    assert {name.split(".transformer")[0] for name in found["style"]} == {"up_blocks.0.attentions.1"}
    assert {name.split(".transformer")[0] for name in found["layout"]} == {"down_blocks.2.attentions.1"}


@pytest.mark.parametrize("family", BUILDS)
def test_strength_range_and_mask_count(made, seen, family):
    model, nothing = made[2][family], torch.zeros(1, 1, 64, 64)
    left = nothing.clone()
    left[..., :32] = 1
    plain = painted(model)
    whole, part, later, masked = (
        painted(model, guide(made, family, False, seen, **options))
        for options in ({}, {"strength": 0.4}, {"start": 0.4}, {"mask": left})
    )
    found = (plain, whole, part, later, masked)
    assert all(not torch.equal(one, other) for place, one in enumerate(found) for other in found[place + 1 :])
    assert torch.equal(painted(model, guide(made, family, False, seen, mask=nothing)), plain)
    assert torch.equal(painted(model, guide(made, family, False, seen, strength=0.0)), plain)
    assert apart(painted(model, guide(made, family, False, seen, mask=nothing + 1)), whole) < 1e-5


@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_what_it_adds_is_zero_outside_its_mask(made, seen, size):
    mask = torch.zeros(1, 1, 8 * size[0], 8 * size[1])
    mask[..., : 8 * size[1] // 2] = 1
    image = guide(made, "SD1", False, seen).conditioner.image.weighted(1.0, mask)
    halved = (-(-size[0] // 2), -(-size[1] // 2))
    for grid in (size, halved):
        query = torch.randn(2, grid[0] * grid[1], image.net.keys[0].weight.shape[0])
        added = image.added(0, query, 4, 1, size).unflatten(1, grid)
        outside = -(-(size[1] // 2 + size[1] % 2) * grid[1] // size[1])
        assert not added[:, :, outside:].any()
        assert added[:, :, 0].all()
    # Without the prompt it looks at no picture.
    assert not torch.equal(image.added(0, query[:1], 4, 1, size), image.added(0, query[:1], 4, 0, size))


def test_two_are_looked_at_together(made, seen):
    model = made[2]["SD1"]
    first, second = guide(made, "SD1", False, seen), guide(made, "SD1", True, seen[::-1].copy())
    both = painted(model, first, second)
    assert all(apart(both, painted(model, one)) > 1e-3 for one in (first, second))


def test_it_is_told_by_content_and_chosen(made, tmp_path):
    folder, _, models = made
    registry = ControlNetRegistry([folder / "models"])
    sd1, sdxl = (models[family].checkpoint for family in BUILDS)
    assert registry.choose("reference", sd1).id == "ip-adapter-plus_sd15"
    assert registry.choose("reference", sdxl, "ip-adapter_sdxl", role="style").id == "ip-adapter_sdxl"
    with pytest.raises(ConditionUnsupported, match="style"):
        registry.choose("reference", sd1, role="style")
    with pytest.raises(ConditionUnsupported, match="does not take a scribble"):
        registry.choose("scribble", sd1, "ip-adapter_sd15")
    net = registry.choose("reference", sd1)
    with pytest.raises(ConditionUnsupported, match="does not fit"):
        net.check_fits(sdxl)
    alone = inspect_controlnet(shutil.copy(net.path, tmp_path / "ip.safetensors"))
    with pytest.raises(ConditionUnsupported, match="image encoder"):
        alone.check_fits(sd1)
    # Another encoder, another picture: the hash is of both.
    build_tiny_image_encoder(tmp_path / "image_encoder", seed=3)
    assert alone.hash != net.hash
    tensors = load_file(net.path)
    save_file({**tensors, "other.weight": torch.zeros(1)}, tmp_path / "more.safetensors")
    with pytest.raises(CheckpointUnsupported):
        inspect_controlnet(tmp_path / "more.safetensors")
    save_file({"ip_adapter.1.to_k_lora.down.weight": torch.zeros(4, 4), **tensors}, tmp_path / "face.safetensors")
    with pytest.raises(ConditionUnsupported, match="faces"):
        inspect_controlnet(tmp_path / "face.safetensors")


def test_a_picture_of_any_size_is_seen(made):
    pictures = (np.full((20, 90, 3), 200, np.uint8), np.full((300, 40, 3), 200, np.uint8))
    for picture in pictures:
        tokens = guide(made, "SD1", False, picture).conditioner.image.conditional
        assert torch.isfinite(tokens).all()
