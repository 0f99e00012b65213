"""ControlNets: loaded from every layout, agreeing with diffusers' own pipelines, summed, ranged, masked, and let go."""

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionControlNetInpaintPipeline,
    StableDiffusionControlNetPipeline,
    StableDiffusionXLControlNetInpaintPipeline,
    StableDiffusionXLControlNetPipeline,
)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from tiny_checkpoints import build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl
from tiny_controlnets import build_tiny_controlnet, save_original_controlnet, save_single_controlnet

from bridge.diffusion import ComponentCache, Control, Device, Walk, denoise, encode, encode_prompt, load
from bridge.models import SAMPLERS, CheckpointUnreadable, inspect, inspect_controlnet

TOLERANCE = 1e-4
SIZE = (8, 8)
STEPS = 10
SCHEDULERS = {
    "DDIM": DDIMScheduler,
    "Euler": EulerDiscreteScheduler,
    "DPM++ 2M": DPMSolverMultistepScheduler,
}
PIPELINES = {
    (build_tiny_sd1, False): StableDiffusionControlNetPipeline,
    (build_tiny_sd2, False): StableDiffusionControlNetPipeline,
    (build_tiny_sd1, True): StableDiffusionControlNetInpaintPipeline,
    (build_tiny_sdxl, False): StableDiffusionXLControlNetPipeline,
    (build_tiny_sdxl, True): StableDiffusionXLControlNetInpaintPipeline,
}


def none(*_):
    pass


@pytest.fixture(scope="module")
def made(tmp_path_factory, cpu):
    """Components of a tiny checkpoint, and the ControlNets made for it by seed and loudness."""
    held = {}

    def get(build=build_tiny_sd1, *, inpaint=False, nets=((1, 0.2),)):
        key = (build, inpaint)
        if key not in held:
            folder = build(tmp_path_factory.mktemp("guided") / "it", inpaint=inpaint)
            held[key] = load(inspect(folder), cpu, check=none), ComponentCache(cpu), {}
        components, cache, known = held[key]
        for seed, speaks in nets:
            if (seed, speaks) not in known:
                folder = components.checkpoint.path.parent / f"net-{seed}-{speaks}"
                known[seed, speaks] = inspect_controlnet(
                    build_tiny_controlnet(components.checkpoint.path, folder, seed=seed, speaks=speaks)
                )
        return components, cache.controlnets([known[net] for net in nets], check=none)

    return get


def drawing(seed=0):
    """(1, 3, 64, 64): blocks of light and dark."""
    rough = np.random.default_rng(seed).random((8, 8)) > 0.5
    lines = np.kron(rough, np.ones((8, 8))).astype(np.float32)
    return torch.from_numpy(lines)[None, None].repeat(1, 3, 1, 1)


def ours(components, *controls, sampler="DDIM", steps=STEPS, seeds=(7,), report=none, **options):
    conditioning = encode_prompt(components, "a red flower", "blue sky")
    values = {"guidance": 3.0, "strength": 1.0, **options}
    walk = Walk(SIZE, conditioning, sampler=sampler, steps=steps, controls=controls, **values)
    return denoise(components, walk, list(seeds), check=none, progress=none, preview=report)


def theirs(components, nets, pictures, *, inpaint=False, scheduler=DDIMScheduler, **options):
    family = {"SD1": build_tiny_sd1, "SD2": build_tiny_sd2, "SDXL": build_tiny_sdxl}[components.checkpoint.family.name]
    pipe = PIPELINES[family, inpaint].from_pretrained(
        components.checkpoint.path,
        controlnet=list(nets) if len(nets) > 1 else nets[0],
        local_files_only=True,
        **({} if family is build_tiny_sdxl else {"safety_checker": None, "feature_extractor": None}),
    )
    pipe.scheduler = scheduler.from_config(pipe.scheduler.config, timestep_spacing="trailing")
    pipe.set_progress_bar_config(disable=True)
    latents = torch.randn((1, 4, *SIZE), generator=torch.Generator().manual_seed(7))
    shown = list(pictures) if len(nets) > 1 else pictures[0]
    return pipe(
        "a red flower",
        negative_prompt="blue sky",
        num_inference_steps=STEPS,
        guidance_scale=3.0,
        latents=latents,
        height=64,
        width=64,
        output_type="latent",
        **({"control_image": shown} if inpaint else {"image": shown}),
        **options,
    ).images


def apart(one, other):
    return float((one - other).abs().max())


@pytest.mark.parametrize("sampler", SCHEDULERS)
@pytest.mark.parametrize("build", [build_tiny_sd1, build_tiny_sd2, build_tiny_sdxl])
def test_one_agrees_with_diffusers(made, build, sampler):
    components, nets = made(build)
    expected = theirs(
        components, nets, [drawing()], scheduler=SCHEDULERS[sampler], controlnet_conditioning_scale=0.8,
        control_guidance_start=0.2, control_guidance_end=0.7,
    )  # fmt: skip
    found = ours(components, Control(nets[0], drawing(), 0.8, 0.2, 0.7), sampler=sampler)[0]
    assert apart(found, expected) < TOLERANCE
    assert apart(found, ours(components, sampler=sampler)[0]) > 0.01


@pytest.mark.parametrize("build", [build_tiny_sd1, build_tiny_sdxl])
def test_two_at_once_agree_with_diffusers(made, build):
    components, nets = made(build, nets=((1, 0.2), (2, 0.2)))
    expected = theirs(
        components, nets, [drawing(), drawing(1)], controlnet_conditioning_scale=[0.8, 0.5],
        control_guidance_start=[0.0, 0.3], control_guidance_end=[0.6, 1.0],
    )  # fmt: skip
    controls = (Control(nets[0], drawing(), 0.8, 0.0, 0.6), Control(nets[1], drawing(1), 0.5, 0.3, 1.0))
    assert apart(ours(components, *controls)[0], expected) < TOLERANCE


@pytest.mark.parametrize("build", [build_tiny_sd1, build_tiny_sdxl])
def test_nine_channels_agree_with_diffusers(made, build, monkeypatch):
    # These pipelines draw the masked picture's latents; ours are the most likely ones.
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, *_, **__: self.mode())
    components, nets = made(build, inpaint=True)
    rows, columns = np.mgrid[0:64, 0:64].astype(np.float32) / 64
    picture = np.stack([rows, columns, 1 - rows], axis=-1)
    hole = torch.zeros(1, 1, 64, 64)
    hole[..., 16:48, 24:56] = 1
    masked = encode(components, np.where(hole[0, 0, :, :, None] > 0, np.float32(0.5), picture), check=none)
    whole = torch.from_numpy(picture).permute(2, 0, 1)[None]
    options = {"image": whole, "mask_image": hole, "strength": 1.0, "controlnet_conditioning_scale": 0.9}
    expected = theirs(components, nets, [drawing()], inpaint=True, **options)
    found = ours(components, Control(nets[0], drawing(), 0.9), masked=masked, hole=hole)[0]
    assert apart(found, expected) < TOLERANCE
    assert apart(found, ours(components, masked=masked, hole=hole)[0]) > 0.01


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_silent_ones_and_strength_0_change_nothing(made, sampler):
    components, (silent, loud) = made(nets=((1, 0.0), (1, 0.2)))
    plain = ours(components, sampler=sampler, steps=4)[0]
    assert torch.equal(ours(components, Control(silent, drawing()), sampler=sampler, steps=4)[0], plain)
    assert torch.equal(ours(components, Control(loud, drawing(), 0.0), sampler=sampler, steps=4)[0], plain)
    heard = ours(components, Control(loud, drawing()), sampler=sampler, steps=4)[0]
    assert not torch.equal(heard, plain)
    assert not torch.equal(ours(components, Control(loud, drawing(1)), sampler=sampler, steps=4)[0], heard)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_it_counts_in_the_steps_of_its_range_alone(made, sampler):
    """Told by the estimates of the clean latents, which a step's own evaluations alone have made differ."""
    components, (net,) = made()

    def estimates(*controls):
        seen = []
        ours(components, *controls, sampler=sampler, steps=4, report=lambda clean, _: seen.append(clean.clone()))
        return seen

    plain = estimates()
    late = estimates(Control(net, drawing(), start=0.5))
    assert [torch.equal(one, other) for one, other in zip(plain, late, strict=True)] == [True, True, False, False]
    whole, early = estimates(Control(net, drawing())), estimates(Control(net, drawing(), end=0.5))
    assert [torch.equal(one, other) for one, other in zip(whole, early, strict=True)][:3] == [True, True, False]
    assert all(map(torch.equal, estimates(Control(net, drawing(), start=0.3, end=0.4)), plain))


def test_what_several_say_is_summed(made):
    components, (net,) = made()
    twice = ours(components, Control(net, drawing(), 0.4), Control(net, drawing(), 0.4))[0]
    assert apart(twice, ours(components, Control(net, drawing(), 0.8))[0]) < 1e-4


def test_a_mask_says_where(made):
    components, (net,) = made()
    whole, half = torch.ones(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    half[..., :32] = 1
    plain, heard = ours(components)[0], ours(components, Control(net, drawing()))[0]
    assert apart(ours(components, Control(net, drawing(), mask=whole))[0], heard) < 1e-5
    assert torch.equal(ours(components, Control(net, drawing(), mask=0 * whole))[0], plain)
    change = (ours(components, Control(net, drawing(), mask=half))[0] - plain).abs().mean(dim=(0, 1, 2))
    # Away from its edge, across which the UNet passes on what it has heard.
    assert change[:3].mean() > 2 * change[-3:].mean()


def test_a_batch_hears_it_as_each_alone(made, monkeypatch):
    components, (net,) = made()
    control = Control(net, drawing())
    alone = [ours(components, control, seeds=(seed,))[0] for seed in (1, 2)]
    assert all(map(torch.equal, ours(components, control, seeds=(1, 2)), alone))
    # As on a GPU: both at once.
    monkeypatch.setattr(Device, "batches", property(lambda _: True))
    together = ours(components, control, seeds=(1, 2))
    assert all(apart(one, other) < 1e-3 for one, other in zip(together, alone, strict=True))


@pytest.mark.parametrize("build", [build_tiny_sd1, build_tiny_sd2])
@pytest.mark.parametrize("save", [save_single_controlnet, save_original_controlnet])
def test_every_layout_loads_the_same(tmp_path, cpu, build, save):
    checkpoint = build(tmp_path / "it", inpaint=False)
    folder = build_tiny_controlnet(checkpoint, tmp_path / "net_scribble", speaks=0.2)
    file = inspect_controlnet(save(folder, tmp_path / "file_scribble.safetensors"))
    whole = inspect_controlnet(folder)
    assert (file.family, file.shape, file.condition) == (whole.family, whole.shape, whole.condition)
    one, other = (ComponentCache(cpu).controlnets([net], check=none)[0].state_dict() for net in (whole, file))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_they_are_held_while_jobs_use_them_and_let_go_for_others(tmp_path, cpu):
    checkpoint = build_tiny_sd1(tmp_path / "it", inpaint=False)
    nets = [
        inspect_controlnet(build_tiny_controlnet(checkpoint, tmp_path / f"net{seed}", seed=seed)) for seed in (1, 2)
    ]
    cache = ComponentCache(cpu)
    both = cache.controlnets(nets, check=none)
    again = cache.controlnets(nets[1:], check=none)
    assert again[0] is both[1]
    assert cache.controlnets(nets, check=none)[0] is not both[0]
    cache.spare()
    last = cache.controlnets(nets[1:], check=none)[0]
    assert last is not both[1]
    # A checkpoint that makes room for another takes them along.
    cache.get(inspect(checkpoint), check=none)
    assert cache.controlnets(nets[1:], check=none)[0] is last
    cache.get(inspect(build_tiny_sd1(tmp_path / "other", inpaint=False, seed=1)), check=none)
    assert cache.controlnets(nets[1:], check=none)[0] is not last


def test_loading_is_cancelled_between_two(tmp_path, cpu):
    class Stop(Exception):
        pass

    checkpoint = build_tiny_sd1(tmp_path / "it", inpaint=False)
    nets = [
        inspect_controlnet(build_tiny_controlnet(checkpoint, tmp_path / f"net{seed}", seed=seed)) for seed in (1, 2)
    ]
    cache = ComponentCache(cpu)

    def check():
        if len(cache._controlnets) == 1:
            raise Stop

    with pytest.raises(Stop):
        cache.controlnets(nets, check=check)
    assert len(cache.controlnets(nets, check=none)) == 2


def test_what_does_not_fit_its_config_is_said(tmp_path, cpu):
    checkpoint = build_tiny_sd1(tmp_path / "it", inpaint=False)
    folder = build_tiny_controlnet(checkpoint, tmp_path / "net")
    file = save_single_controlnet(folder, tmp_path / "file.safetensors")
    (file.with_name("file.config") / "config.json").unlink()
    file.with_name("file.config").rmdir()
    # By the family's own config, whose ControlNets are a good deal wider.
    with pytest.raises(CheckpointUnreadable, match="ControlNet of file"):
        ComponentCache(cpu).controlnets([inspect_controlnet(file)], check=none)
