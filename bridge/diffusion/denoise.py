"""The denoising loop: classifier-free guidance, differential diffusion, and a look at the cancel flag."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from .finite import ModelStep, check_finite
from .model import EncodedPrompts, LatentModel, ModelInputs, PredictFn, WeightedConditioner
from .noise import seeded_generator, seeded_noise
from .prompt_embeds import Regional, only_seen
from .samplers import Sampler, make_sampler
from .shortcut import Shortcut

__all__ = ["DenoiseInputs", "PredictFn", "denoise", "steps_taken"]


@dataclass(frozen=True)
class DenoiseInputs:
    """What is denoised, and how.

    `size` is latents as (h, w). `init_latents` (1, c, h, w) are those of the prepared picture, and may be None at
    strength 1. `denoise_mask` (1, 1, h, w), 0..1, holds the latents to `init_latents` where it is low; None repaints
    everything. `masked_image_latents` (1, c, h, w) and `mask` (1, k, h, w) are for models that see the picture beside,
    `LatentModel.encode_mask` says what k is. `tile` is the size of the tiles that predictions are made of, which the
    noise schedule is for; None: the whole plane at once. `fast`: most steps are short ones (`Shortcut`). `regions` are
    as `ModelInputs.regions`.
    """

    size: tuple[int, int]
    prompts: EncodedPrompts
    sampler: str
    steps: int
    guidance: float
    strength: float
    init_latents: torch.Tensor | None = None
    denoise_mask: torch.Tensor | None = None
    masked_image_latents: torch.Tensor | None = None
    mask: torch.Tensor | None = None
    conditioners: tuple[WeightedConditioner, ...] = ()
    tile: tuple[int, int] | None = None
    fast: bool = False
    regions: tuple[Regional[EncodedPrompts], ...] = ()


def steps_taken(model: LatentModel, inputs: DenoiseInputs) -> int:
    """How many steps one picture takes: all of `inputs.steps` at strength 1, fewer below."""
    return sum(evaluation.ends_step for evaluation in _sampler(model, inputs).evaluations)


@torch.no_grad()
def denoise(
    model: LatentModel,
    inputs: DenoiseInputs,
    seeds: Sequence[int],
    *,
    check: Callable[[], None],
    progress: Callable[[int], None],
    preview: Callable[[torch.Tensor, int], None],
    predict_fn: PredictFn | None = None,
) -> list[torch.Tensor]:
    """Latents (1, c, h, w) for each seed. `predict_fn` takes the place of the model's own `predict`.

    On a GPU the pictures are denoised together; on a CPU one after the other, so that each is exactly what it would be
    alone. `check` is called before every prediction and may raise; `progress` is told after each step how many were
    taken, over all pictures; `preview` gets the estimate (c, h, w) of the clean latents with that number. Raises
    ModelNotFinite where predictions are no numbers.
    """
    prompts, regions = only_seen(inputs.prompts, inputs.regions)
    inputs = replace(inputs, prompts=prompts, regions=regions)
    groups = [list(seeds)] if model.device.batches else [[seed] for seed in seeds]
    finished: list[torch.Tensor] = []
    taken = 0
    for group in groups:

        def report(clean: torch.Tensor) -> None:
            nonlocal taken
            taken += 1
            progress(taken)
            preview(clean, taken)

        predict = predict_fn or model.predict
        finished += _denoise_together(model, inputs, group, check=check, report=report, predict_fn=predict)
    return finished


def _denoise_together(
    model: LatentModel,
    inputs: DenoiseInputs,
    seeds: list[int],
    *,
    check: Callable[[], None],
    report: Callable[[torch.Tensor], None],
    predict_fn: PredictFn,
) -> list[torch.Tensor]:
    device = model.device.torch_device
    sampler = _sampler(model, inputs)
    shape = (model.latent_channels, *inputs.size)
    # What noise the sampler adds on the way goes on where this noise stopped: drawn anew, it would be the same.
    generators = [seeded_generator(seed) for seed in seeds]
    noise = seeded_noise(generators, shape, device)
    init_latents = None if inputs.init_latents is None else inputs.init_latents.to(device).expand_as(noise)
    if inputs.strength < 1 and init_latents is None:
        raise ValueError("below strength 1 the denoising begins from init_latents")
    if init_latents is None or inputs.strength >= 1:
        latents = sampler.noise_only(noise)
    else:
        latents = sampler.noised(init_latents, noise, 0)
    denoise_mask = None if inputs.denoise_mask is None else inputs.denoise_mask.to(device)
    mask, masked = (None if one is None else one.to(device) for one in (inputs.mask, inputs.masked_image_latents))
    steps, step = sum(evaluation.ends_step for evaluation in sampler.evaluations), 0
    shortcut = Shortcut(steps) if inputs.fast else None
    for index, evaluation in enumerate(sampler.evaluations):
        check()
        prediction = _guided(
            model,
            inputs,
            ModelInputs(
                latents=sampler.model_input(latents, index).to(model.device.torch_dtype),
                timestep=evaluation.timestep,
                prompt=inputs.prompts.positive.repeated(len(seeds)),
                guidance=inputs.guidance,
                mask=mask,
                masked_image_latents=masked,
                conditioners=tuple(one for one in inputs.conditioners if one.acts(step, steps)),
                regions=tuple(Regional(one.prompt.positive.repeated(len(seeds)), one.share) for one in inputs.regions),
            ),
            predict_fn,
            shortcut,
            step,
        )
        check_finite(prediction, ModelStep.GUIDED if inputs.conditioners else ModelStep.DENOISER, model)
        latents, clean = sampler.step(prediction.float(), latents, index, generators)
        if denoise_mask is not None and init_latents is not None:
            held = sampler.noised(init_latents, noise, index + 1)
            latents = _blend(latents, held, denoise_mask, 1 - evaluation.reached)
        # So that progress is true, and a cancel stops the very next step.
        model.device.synchronize()
        if evaluation.ends_step:
            step += 1
            report(clean[0])
    return list(torch.split(latents, 1))


def _guided(
    model: LatentModel,
    inputs: DenoiseInputs,
    at: ModelInputs,
    predict_fn: PredictFn,
    shortcut: Shortcut | None,
    step: int,
) -> torch.Tensor:
    """Classifier-free guidance, Ho and Salimans 2022."""
    if shortcut is not None:
        at = shortcut.marked(at, step)
    if inputs.guidance == 1 or model.guidance_embeds:
        return predict_fn(at)
    if shortcut is not None and shortcut.short(step):
        return shortcut.guided(at, inputs.guidance, predict_fn)
    count = len(at.latents)
    both = replace(
        at,
        latents=torch.cat([at.latents, at.latents]),
        prompt=inputs.prompts.negative.repeated(count).concatenated(at.prompt),
        regions=tuple(
            replace(region, prompt=encoded.prompt.negative.repeated(count).concatenated(region.prompt))
            for encoded, region in zip(inputs.regions, at.regions, strict=True)
        ),
        unconditional=count,
    )
    without, with_prompt = predict_fn(both).chunk(2)
    if shortcut is not None:
        shortcut.keep(with_prompt - without)
    return without + inputs.guidance * (with_prompt - without)


def _blend(latents: torch.Tensor, held: torch.Tensor, denoise_mask: torch.Tensor, level: float) -> torch.Tensor:
    """Differential diffusion, Levin and Fried 2023: what is masked less than the noise that remains is held."""
    return torch.where(denoise_mask > level, latents, held)


def _sampler(model: LatentModel, inputs: DenoiseInputs) -> Sampler:
    schedule = model.schedule(inputs.tile or inputs.size, inputs.steps)
    return make_sampler(inputs.sampler, schedule, steps=inputs.steps, strength=inputs.strength)
