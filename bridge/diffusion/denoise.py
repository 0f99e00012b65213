"""The denoising loop: classifier-free guidance, two ways to confine it to a mask, and a look at the cancel flag."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn.functional import interpolate

from .architecture import hears_guidance, predict
from .components import Components
from .control import Control, acting
from .finite import ModelStep, check_finite
from .latents import seeded_generator, seeded_noise
from .prompt import Conditioning
from .samplers import Sampler, make_sampler
from .schedules import VariancePreservingSchedule

__all__ = ["Walk", "denoise", "steps_taken"]


@dataclass(frozen=True)
class Walk:
    """What is denoised, and how.

    `size` is latents as (h, w). `original` are the latents of the prepared picture, (1, c, h, w), and may be None at
    strength 1. `coverage` (1, 1, h, w), 0..1, confines a four-channel UNet; None repaints everything. `masked` are
    the latents of the picture with the mask's inside blanked, and `hole` (1, 1, h, w) that mask, 0 or 1, for a UNet
    of nine channels. `controls` guide it by other pictures.
    """

    size: tuple[int, int]
    conditioning: Conditioning
    sampler: str
    steps: int
    guidance: float
    strength: float
    original: torch.Tensor | None = None
    coverage: torch.Tensor | None = None
    masked: torch.Tensor | None = None
    hole: torch.Tensor | None = None
    controls: tuple[Control, ...] = ()


def steps_taken(components: Components, walk: Walk) -> int:
    """How many steps one picture takes: all of `walk.steps` at strength 1, fewer below."""
    return sum(evaluation.ends_step for evaluation in _sampler(components, walk).evaluations)


@torch.no_grad()
def denoise(
    components: Components,
    walk: Walk,
    seeds: Sequence[int],
    *,
    check: Callable[[], None],
    progress: Callable[[int], None],
    preview: Callable[[torch.Tensor, int], None],
    look: Callable[..., torch.Tensor] = predict,
) -> list[torch.Tensor]:
    """Scaled latents (1, c, h, w) for each seed. `look` is asked as `predict` is, and may look otherwise.

    On a GPU the pictures are denoised together; on a CPU one after the other, so that each is exactly what it would be
    alone. `check` is called before every call of the UNet and may raise; `progress` hears after each step how many were
    taken, over all pictures; `preview` gets the estimate (c, h, w) of the clean latents with that number. Raises
    ModelNotFinite where the UNet's predictions are no numbers.
    """
    groups = [list(seeds)] if components.device.batches else [[seed] for seed in seeds]
    finished: list[torch.Tensor] = []
    taken = 0
    for group in groups:

        def report(clean: torch.Tensor) -> None:
            nonlocal taken
            taken += 1
            progress(taken)
            preview(clean, taken)

        finished += _denoise_together(components, walk, group, check=check, report=report, look=look)
    return finished


def _denoise_together(
    components: Components,
    walk: Walk,
    seeds: list[int],
    *,
    check: Callable[[], None],
    report: Callable[[torch.Tensor], None],
    look: Callable[..., torch.Tensor],
) -> list[torch.Tensor]:
    device, dtype = components.device.torch_device, components.device.torch_dtype
    sampler = _sampler(components, walk)
    shape = (components.latent_channels, *walk.size)
    # What noise the sampler adds on the way goes on where this noise stopped: drawn anew, it would be the same.
    generators = [seeded_generator(seed) for seed in seeds]
    noise = seeded_noise(generators, shape, device)
    original = None if walk.original is None else walk.original.to(device).expand_as(noise)
    if walk.strength < 1 and original is None:
        raise ValueError("a walk below strength 1 needs the original's latents")
    if original is None or walk.strength >= 1:
        latents = sampler.noise_only(noise)
    else:
        latents = sampler.noised(original, noise, 0)
    extra = _inpaint_channels(components, walk, len(seeds))
    steps, step = sum(evaluation.ends_step for evaluation in sampler.evaluations), 0
    for index, evaluation in enumerate(sampler.evaluations):
        check()
        inputs = sampler.model_input(latents, index)
        inputs = inputs if extra is None else torch.cat([inputs, extra], dim=1)
        asked = partial(look, guidance=walk.guidance, controls=acting(walk.controls, step, steps))
        prediction = _guided(components, walk, inputs.to(dtype), evaluation.timestep, asked)
        check_finite(prediction, ModelStep.CONTROLLED if walk.controls else ModelStep.DENOISER, components)
        latents, clean = sampler.step(prediction.float(), latents, index, generators)
        if walk.coverage is not None and original is not None:
            held = sampler.noised(original, noise, index + 1)
            latents = _hold(latents, held, walk.coverage.to(device), 1 - evaluation.reached)
        _settle(components)
        if evaluation.ends_step:
            step += 1
            report(clean[0])
    return list(torch.split(latents, 1))


def _guided(
    components: Components, walk: Walk, inputs: torch.Tensor, timestep: float, look: Callable[..., torch.Tensor]
) -> torch.Tensor:
    """Classifier-free guidance, Ho and Salimans 2022."""
    wanted = walk.conditioning.wanted.repeated(len(inputs))
    if walk.guidance == 1 or hears_guidance(components):
        return look(components, inputs, timestep, wanted)
    unwanted = walk.conditioning.unwanted.repeated(len(inputs))
    both = look(components, torch.cat([inputs, inputs]), timestep, unwanted.followed_by(wanted))
    without, with_prompt = both.chunk(2)
    return without + walk.guidance * (with_prompt - without)


def _hold(latents: torch.Tensor, held: torch.Tensor, coverage: torch.Tensor, level: float) -> torch.Tensor:
    """Differential diffusion, Levin and Fried 2023: what is covered less than the noise that remains is held."""
    return torch.where(coverage > level, latents, held)


def _inpaint_channels(components: Components, walk: Walk, count: int) -> torch.Tensor | None:
    if not components.checkpoint.inpaint:
        return None
    device = components.device.torch_device
    if walk.masked is None or walk.hole is None:
        raise ValueError("an inpainting UNet needs the masked picture's latents and the mask")
    hole = interpolate(walk.hole.to(device), size=walk.size, mode="nearest")
    return torch.cat([hole, walk.masked.to(device)], dim=1).expand(count, -1, -1, -1)


def _settle(components: Components) -> None:
    """Waits for the GPU, so that progress is true and a cancel stops the very next step."""
    if components.device.kind in ("cuda", "rocm"):
        torch.cuda.synchronize()
    elif components.device.kind == "xpu":
        torch.xpu.synchronize()
    elif components.device.kind == "mps":
        torch.mps.synchronize()


def _sampler(components: Components, walk: Walk) -> Sampler:
    schedule = VariancePreservingSchedule(components.scheduler_config)
    return make_sampler(walk.sampler, schedule, steps=walk.steps, strength=walk.strength)
