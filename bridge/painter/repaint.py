"""The part of a job that the model does: pixels to latents, denoising, and back to pixels at the canvas's density."""

from dataclasses import dataclass

import numpy as np
import torch

from ..diffusion import DenoiseInputs, LatentModel, denoise, steps_taken
from .conditions import Networks, prepare_conditioners, prepare_inpainting
from .context import encode_context, looked_at
from .crop import placed, placed_previews
from .detail import keep_colour, keep_detail, keep_shown
from .hints import about_reduced_size, about_unused_conditions
from .oom_guard import OomGuard
from .prepare import PreparedInput
from .regions import place_regions
from .sampling import resolve_sampling
from .stages import Stages, after, previews, show
from .tiled_denoise import plan_tiled_refine
from .tiled_refine import TiledRefine

__all__ = ["Repainted", "repaint"]


@dataclass(frozen=True)
class Repainted:
    """The model's pictures, (h, w, 3) at the context's size, one a seed; and what they were made with."""

    pictures: list[np.ndarray]
    steps: int
    guidance: float
    sampler: str
    batched: bool
    hints: tuple[str, ...]


def repaint(
    model: LatentModel,
    prepared: PreparedInput,
    start: np.ndarray | None,
    strength: float,
    stages: Stages,
    guard: OomGuard,
    networks: Networks,
) -> Repainted:
    """Denoises from `start` (h, w, 3), the context with the first guess under the mask; None: from noise alone.

    `networks` are those of the request's guides. At strength 1 what is masked begins as pure noise. A model that
    blends is held to `start` by the denoise mask; one of further channels sees `start` with everything that the layer
    can show blanked, unless its card wants to see that, too: what it then paints upon it is kept, and the rest is
    `start`. What is much smaller than the canvas at the model's size is refined in a second pass, `TiledRefine`, which
    the denoise stage's steps include.
    """
    request, check = prepared.request, stages.hooks.check
    size, crop = prepared.model_size, prepared.crop
    latent_size = (size.height // model.pixels_per_latent, size.width // model.pixels_per_latent)

    # Nothing depends on the seed until the denoising begins.
    with stages("encode"):
        sampling = resolve_sampling(model, request, guard, check=check)
        begins_from = strength < 1 or model.mask_input.blends
        context_key = ("context", sampling.made_by, model.mask_input, prepared.fingerprint, begins_from)
        context = guard.results.get(
            context_key,
            lambda: encode_context(model, prepared, start, begins_from=begins_from, guard=guard, check=check),
        )
    init_latents = context.init_latents
    conditioners = prepare_conditioners(request, networks, model, prepared.fitted)
    if request.inpainting is not None and start is not None and request.settings.kind == "fill":
        seen, blank = looked_at(prepared, start)
        conditioners = (*conditioners, prepare_inpainting(request.inpainting, networks, model, seen, blank))

    inputs = DenoiseInputs(
        size=latent_size,
        prompts=sampling.prompts,
        sampler=sampling.sampler,
        steps=sampling.steps,
        guidance=sampling.guidance,
        strength=strength,
        init_latents=init_latents,
        denoise_mask=context.denoise_mask,
        masked_image_latents=context.masked_image_latents,
        mask=context.mask,
        conditioners=conditioners,
        fast=request.settings.sampling.fast,
        regions=place_regions(request.regions, sampling.region_prompts, model, prepared.fitted),
    )
    batched = model.device.batches and len(request.seeds) > 1
    plane = plan_tiled_refine(model, prepared)
    tiled_refine = (
        None
        if plane is None
        else TiledRefine(
            model, prepared, plane, inputs, fresh=start is None, networks=networks, guard=guard, check=check
        )
    )
    first_steps = steps_taken(model, inputs) * (1 if model.device.batches else len(request.seeds))
    total = first_steps + (tiled_refine.steps * len(request.seeds) if tiled_refine else 0)

    def picture_of(latents: torch.Tensor) -> np.ndarray:
        picture = prepared.unfitted(guard.decode(model, latents, check=check))
        upon = prepared.shown and request.settings.kind == "fill"
        if start is None or init_latents is None or not prepared.detailed or (strength >= 1 and not upon):
            return placed(picture, crop, start)
        round_trip = guard.results.get(
            ("round trip", *context_key), lambda: guard.decode(model, init_latents, check=check)
        )
        looked_at, round_trip = start[crop.slices], prepared.unfitted(round_trip)
        if upon:
            return placed(keep_shown(picture, looked_at, round_trip), crop, start)
        picture = keep_detail(picture, looked_at, round_trip, strength)
        return placed(keep_colour(picture, looked_at, strength), crop, start)

    with stages("denoise", total) as advance:
        latents = guard.retry(
            lambda: denoise(
                model,
                inputs,
                request.seeds,
                check=check,
                progress=advance,
                preview=previews(model, request, placed_previews(stages.hooks.preview, crop, start, prepared.fit)),
            )
        )
        drafts = []
        if tiled_refine is not None:
            for index, (seed, one) in enumerate(zip(request.seeds, latents, strict=True)):
                done = first_steps + index * tiled_refine.steps
                picture = picture_of(one)
                show(picture, done, request, stages.hooks)
                drafts.append(tiled_refine.denoise(picture, seed, progress=after(advance, done)))
    pictures: list[np.ndarray] = []
    with stages("decode", len(latents)) as advance:
        for index, one in enumerate(latents):
            pictures.append(picture_of(one) if tiled_refine is None else tiled_refine.finish(drafts[index]))
            advance(len(pictures))
    hints = (*sampling.hints, *about_unused_conditions(request.conditions, steps_taken(model, inputs)))
    if plane is not None:
        hints = (*hints, *about_reduced_size(plane))
    return Repainted(pictures, sampling.steps, sampling.guidance, sampling.sampler, batched, hints)
