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
from tiny_controlnets import build_tiny_controlnet, control_of, save_original_controlnet, save_single_controlnet

from bridge.diffusion import DenoiseInputs, Device, ModelCache, denoise, load
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
            held[key] = load(inspect(folder), cpu, check=none), ModelCache(cpu), {}
        components, cache, known = held[key]
        for seed, speaks in nets:
            if (seed, speaks) not in known:
                folder = components.checkpoint.path.parent / f"net-{seed}-{speaks}"
                known[seed, speaks] = inspect_controlnet(
                    build_tiny_controlnet(components.checkpoint.path, folder, seed=seed, speaks=speaks)
                )
        return components, cache.guides([known[net] for net in nets], check=none)

    return get


def drawing(seed=0):
    """(1, 3, 64, 64): blocks of light and dark."""
    rough = np.random.default_rng(seed).random((8, 8)) > 0.5
    lines = np.kron(rough, np.ones((8, 8))).astype(np.float32)
    return torch.from_numpy(lines)[None, None].repeat(1, 3, 1, 1)


def ours(components, *controls, sampler="DDIM", steps=STEPS, seeds=(7,), report=none, **options):
    prompts = components.encode_prompts("a red flower", "blue sky")
    values = {"guidance": 3.0, "strength": 1.0, **options}
    inputs = DenoiseInputs(SIZE, prompts, sampler=sampler, steps=steps, conditioners=controls, **values)
    return denoise(components, inputs, list(seeds), check=none, progress=none, preview=report)


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
    found = ours(components, control_of(nets[0], drawing(), 0.8, 0.2, 0.7), sampler=sampler)[0]
    assert apart(found, expected) < TOLERANCE
    assert apart(found, ours(components, sampler=sampler)[0]) > 0.01


@pytest.mark.parametrize("build", [build_tiny_sd1, build_tiny_sdxl])
def test_two_at_once_agree_with_diffusers(made, build):
    components, nets = made(build, nets=((1, 0.2), (2, 0.2)))
    expected = theirs(
        components, nets, [drawing(), drawing(1)], controlnet_conditioning_scale=[0.8, 0.5],
        control_guidance_start=[0.0, 0.3], control_guidance_end=[0.6, 1.0],
    )  # fmt: skip
    controls = (control_of(nets[0], drawing(), 0.8, 0.0, 0.6), control_of(nets[1], drawing(1), 0.5, 0.3, 1.0))
    assert apart(ours(components, *controls)[0], expected) < TOLERANCE


@pytest.mark.parametrize("build", [build_tiny_sd1, build_tiny_sdxl])
def test_nine_channels_agree_with_diffusers(made, build, monkeypatch):
    # These pipelines draw the masked picture's latents; ours are the most likely ones.
    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, *_, **__: self.mode())
    components, nets = made(build, inpaint=True)
    rows, columns = np.mgrid[0:64, 0:64].astype(np.float32) / 64
    picture = np.stack([rows, columns, 1 - rows], axis=-1)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 16:48, 24:56] = 1
    masked_image_latents = components.encode(np.where(mask[0, 0, :, :, None] > 0, np.float32(0.5), picture))
    whole = torch.from_numpy(picture).permute(2, 0, 1)[None]
    options = {"image": whole, "mask_image": mask, "strength": 1.0, "controlnet_conditioning_scale": 0.9}
    expected = theirs(components, nets, [drawing()], inpaint=True, **options)
    beside = {"masked_image_latents": masked_image_latents, "mask": mask[..., ::8, ::8]}
    found = ours(components, control_of(nets[0], drawing(), 0.9), **beside)[0]
    assert apart(found, expected) < TOLERANCE
    assert apart(found, ours(components, **beside)[0]) > 0.01


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_silent_ones_and_strength_0_change_nothing(made, sampler):
    components, (silent, loud) = made(nets=((1, 0.0), (1, 0.2)))
    plain = ours(components, sampler=sampler, steps=4)[0]
    assert torch.equal(ours(components, control_of(silent, drawing()), sampler=sampler, steps=4)[0], plain)
    assert torch.equal(ours(components, control_of(loud, drawing(), 0.0), sampler=sampler, steps=4)[0], plain)
    heard = ours(components, control_of(loud, drawing()), sampler=sampler, steps=4)[0]
    assert not torch.equal(heard, plain)
    assert not torch.equal(ours(components, control_of(loud, drawing(1)), sampler=sampler, steps=4)[0], heard)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_it_counts_in_the_steps_of_its_range_alone(made, sampler):
    """Told by the estimates of the clean latents, which a step's own evaluations alone have made differ."""
    components, (net,) = made()

    def estimates(*controls):
        seen = []
        ours(components, *controls, sampler=sampler, steps=4, report=lambda clean, _: seen.append(clean.clone()))
        return seen

    plain = estimates()
    late = estimates(control_of(net, drawing(), start=0.5))
    assert [torch.equal(one, other) for one, other in zip(plain, late, strict=True)] == [True, True, False, False]
    whole, early = estimates(control_of(net, drawing())), estimates(control_of(net, drawing(), end=0.5))
    assert [torch.equal(one, other) for one, other in zip(whole, early, strict=True)][:3] == [True, True, False]
    assert all(map(torch.equal, estimates(control_of(net, drawing(), start=0.3, end=0.4)), plain))


def test_what_several_say_is_summed(made):
    components, (net,) = made()
    twice = ours(components, control_of(net, drawing(), 0.4), control_of(net, drawing(), 0.4))[0]
    assert apart(twice, ours(components, control_of(net, drawing(), 0.8))[0]) < 1e-4


def test_a_mask_says_where(made):
    components, (net,) = made()
    whole, half = torch.ones(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    half[..., :32] = 1
    plain, heard = ours(components)[0], ours(components, control_of(net, drawing()))[0]
    assert apart(ours(components, control_of(net, drawing(), mask=whole))[0], heard) < 1e-5
    assert torch.equal(ours(components, control_of(net, drawing(), mask=0 * whole))[0], plain)
    change = (ours(components, control_of(net, drawing(), mask=half))[0] - plain).abs().mean(dim=(0, 1, 2))
    # Away from its edge, across which the UNet passes on what it has heard.
    assert change[:3].mean() > 2 * change[-3:].mean()


def test_a_batch_hears_it_as_each_alone(made, monkeypatch):
    components, (net,) = made()
    control = control_of(net, drawing())
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
    assert (file.family, file.shape, file.conditions) == (whole.family, whole.shape, whole.conditions)
    one, other = (ModelCache(cpu).guides([net], check=none)[0].state_dict() for net in (whole, file))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_they_are_held_within_the_budget(tmp_path, cpu):
    checkpoint = build_tiny_sd1(tmp_path / "it", inpaint=False)
    nets = [
        inspect_controlnet(build_tiny_controlnet(checkpoint, tmp_path / f"net{seed}", seed=seed)) for seed in (1, 2)
    ]
    both = ModelCache(cpu).guides(nets, check=none)
    size = sum(weight.nbytes for weight in both[0].state_dict().values())
    cache = ModelCache(cpu, budget=int(2.5 * size))
    both = cache.guides(nets, check=none)
    assert cache.size >= 2 * size
    assert cache.guides(nets[1:], check=none)[0] is both[1]
    assert cache.guides(nets, check=none)[0] is both[0]
    # What a job does not use makes room, the one not used for longest first.
    third = inspect_controlnet(build_tiny_controlnet(checkpoint, tmp_path / "net3", seed=3))
    cache.guides([third, nets[1]], check=none)
    assert cache.size <= 2.5 * size
    assert cache.guides([nets[1]], check=none)[0] is both[1]
    assert cache.guides([nets[0]], check=none)[0] is not both[0]
    cache.evict_unused()
    assert cache.size == 0


def test_loading_is_cancelled_between_two(tmp_path, cpu):
    class Stop(Exception):
        pass

    checkpoint = build_tiny_sd1(tmp_path / "it", inpaint=False)
    nets = [
        inspect_controlnet(build_tiny_controlnet(checkpoint, tmp_path / f"net{seed}", seed=seed)) for seed in (1, 2)
    ]
    cache = ModelCache(cpu)

    def check():
        if cache.size:
            raise Stop

    with pytest.raises(Stop):
        cache.guides(nets, check=check)
    assert len(cache.guides(nets, check=none)) == 2


def test_what_does_not_fit_its_config_is_said(tmp_path, cpu):
    checkpoint = build_tiny_sd1(tmp_path / "it", inpaint=False)
    folder = build_tiny_controlnet(checkpoint, tmp_path / "net")
    file = save_single_controlnet(folder, tmp_path / "file.safetensors")
    (file.with_name("file.config") / "config.json").unlink()
    file.with_name("file.config").rmdir()
    # By the family's own config, whose ControlNets are a good deal wider.
    with pytest.raises(CheckpointUnreadable, match="ControlNet of file"):
        ModelCache(cpu).guides([inspect_controlnet(file)], check=none)
