"""ControlNets that guide fills with SDXL's children and SD1: told by content or name, and blind under the mask."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionXLControlNetUnionPipeline
from tiny_checkpoints import build_tiny_sd1, build_tiny_sdxl
from tiny_controlnets import build_tiny_controlnet, build_tiny_union, save_single_controlnet

from bridge.control_kinds import map_kinds
from bridge.diffusion import DenoiseInputs, Device, GuideInput, ModelCache, WeightedConditioner, denoise, guide_loader
from bridge.models import ControlNetRegistry, inspect, inspect_controlnet

CPU = Device("cpu", "test", 1 << 30, "float32", "")


def none(*_):
    pass


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Tiny checkpoints, and a folder of ControlNets for them."""
    folder = tmp_path_factory.mktemp("inpainting")
    sdxl, sd1 = (build(folder / build.__name__, inpaint=False) for build in (build_tiny_sdxl, build_tiny_sd1))
    nets = folder / "models" / "controlnet"
    build_tiny_union(sdxl, nets / "promax")
    build_tiny_union(sdxl, nets / "a_six", kinds=6)
    build_tiny_controlnet(sdxl, nets / "noobaiInpainting_v10", speaks=0.2)
    build_tiny_controlnet(sdxl, nets / "b_scribble", speaks=0.2)
    build_tiny_controlnet(sd1, nets / "control_v11p_sd15_inpaint", speaks=0.2)
    save_single_controlnet(nets / "promax", folder / "single" / "union_promax.safetensors")
    cache = ModelCache(CPU)
    models = {one.name: cache.get(inspect(one), check=none) for one in (sdxl, sd1)}
    return folder, cache, models["build_tiny_sdxl"], models["build_tiny_sd1"]


@pytest.fixture(scope="module")
def shown():
    """A picture, and the mask of what is repainted."""
    picture = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(3))
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 24:56] = 1
    return picture, mask


def net_of(folder, name):
    return inspect_controlnet(folder / "models" / "controlnet" / name)


def guide(made, net, model, picture, mask, strength=1.0, kind=None):
    (network,) = made[1].guides([net], check=none)
    conditioner = guide_loader(net).prepare(network, GuideInput(picture, kind, mask), model)
    return WeightedConditioner(conditioner, strength, 0.0, 1.0, None)


def painted(model, *guides):
    prompts = model.encode_prompts("a red flower", "blue sky")
    values = {"sampler": "DDIM", "steps": 4, "guidance": 3.0, "strength": 1.0, "conditioners": guides}
    return denoise(model, DenoiseInputs((8, 8), prompts, **values), [7], check=none, progress=none, preview=none)[0]


def apart(one, other):
    return float((one - other).abs().max())


@pytest.mark.parametrize("layout", ["folder", "file"])
def test_promax_repaints_as_in_diffusers(made, shown, layout):
    folder, cache, model, _ = made
    path = folder / "single" / "union_promax.safetensors"
    net = net_of(folder, "promax") if layout == "folder" else inspect_controlnet(path)
    assert (net.family.name, net.loader, net.conditions) == ("SDXL", "controlnet_union", map_kinds())
    assert net.inpainting is not None
    picture, mask = shown
    (network,) = cache.guides([net], check=none)
    pipe = StableDiffusionXLControlNetUnionPipeline.from_pretrained(
        model.checkpoint.path, controlnet=network, local_files_only=True
    )
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    pipe.set_progress_bar_config(disable=True)
    expected = pipe(
        "a red flower", negative_prompt="blue sky", num_inference_steps=4, guidance_scale=3.0, height=64, width=64,
        latents=torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(7)), output_type="latent",
        control_image=[torch.where(mask > 0, 0.0, picture)], control_mode=[7], controlnet_conditioning_scale=0.8,
    ).images  # fmt: skip
    found = painted(model, guide(made, net, model, picture, mask, 0.8))
    assert apart(found, expected) < 1e-4
    assert apart(found, painted(model)) > 0.01


@pytest.mark.parametrize("kind", ["pose", "depth", "scribble", "line_art", "normal", "label_map", "blur"])
def test_a_union_takes_each_kind_by_its_number_as_in_diffusers(made, shown, kind):
    folder, cache, model, _ = made
    net, (picture, _) = net_of(folder, "promax"), shown
    (network,) = cache.guides([net], check=none)
    pipe = StableDiffusionXLControlNetUnionPipeline.from_pretrained(
        model.checkpoint.path, controlnet=network, local_files_only=True
    )
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    pipe.set_progress_bar_config(disable=True)
    number = ["pose", "depth", "scribble", "line_art", "normal", "label_map", "blur"].index(kind)
    expected = pipe(
        "a red flower", negative_prompt="blue sky", num_inference_steps=4, guidance_scale=3.0, height=64, width=64,
        latents=torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(7)), output_type="latent",
        control_image=[picture], control_mode=[number], controlnet_conditioning_scale=0.8,
    ).images  # fmt: skip
    found = painted(model, guide(made, net, model, picture, None, 0.8, kind))
    assert apart(found, expected) < 1e-4
    assert apart(found, painted(model)) > 0.01


@pytest.mark.parametrize("name", ["promax", "noobaiInpainting_v10", "control_v11p_sd15_inpaint"])
def test_each_sees_what_is_around_the_mask_and_nothing_in_it(made, shown, name):
    folder, _, sdxl, sd1 = made
    net, (picture, mask) = net_of(folder, name), shown
    assert net.inpainting is not None
    model = sd1 if net.family.name == "SD1" else sdxl
    first = painted(model, guide(made, net, model, picture, mask))
    assert apart(first, painted(model)) > 0.01
    assert torch.equal(first, painted(model, guide(made, net, model, torch.where(mask > 0, 0.9, picture), mask)))
    assert apart(first, painted(model, guide(made, net, model, torch.where(mask > 0, picture, 0.9), mask))) > 1e-4


@pytest.mark.parametrize(("name", "blank"), [("noobaiInpainting_v10", 0.0), ("control_v11p_sd15_inpaint", -1.0)])
def test_what_is_repainted_is_black_for_sdxl_and_minus_one_for_sd1(made, shown, name, blank):
    folder, cache, sdxl, sd1 = made
    net, (picture, mask) = net_of(folder, name), shown
    (network,) = cache.guides([net], check=none)
    prepared = guide_loader(net).prepare(network, GuideInput(picture, None, mask), sdxl)
    assert torch.equal(prepared.picture, torch.where(mask > 0, blank, picture))
    # A condition of another kind is shown as it is.
    assert torch.equal(guide_loader(net).prepare(network, GuideInput(picture, "scribble"), sd1).picture, picture)


def test_the_one_for_fills_is_chosen(made):
    folder, _, sdxl, sd1 = made
    registry = ControlNetRegistry([folder / "models"])
    assert registry.choose_inpainting(sdxl.checkpoint).id == "noobaiInpainting_v10"
    assert registry.choose_inpainting(sdxl.checkpoint, "promax").id == "promax"
    assert registry.choose_inpainting(sd1.checkpoint).id == "control_v11p_sd15_inpaint"
    assert registry.choose_inpainting(replace(sdxl.checkpoint, inpaint=True)) is None
    # One of six kinds was trained neither to repaint nor on blurred pictures.
    assert net_of(folder, "a_six").inpainting is None
    assert set(map_kinds()) - set(net_of(folder, "a_six").conditions) == {"blur"}
    assert net_of(folder, "b_scribble").inpainting is None
    assert net_of(folder, "b_scribble").conditions == ("scribble",)


def test_a_tile_is_shown_its_part(made, shown):
    folder, _, model, _ = made
    picture, mask = shown
    prepared = guide(made, net_of(folder, "promax"), model, picture, mask).conditioner
    part = prepared.crop(slice(16, 48), slice(0, 32))
    assert np.array_equal(part.picture.numpy(), torch.where(mask > 0, 0.0, picture)[..., 16:48, :32].numpy())
    assert part.number == prepared.number
