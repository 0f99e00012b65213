"""The part of a job that the model does: pixels to latents, denoising, and back to pixels at the canvas's density."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from ..canvas.resample import resize
from ..diffusion import Components, PreviewMaker, Walk, denoise, encode_prompt, steps_taken
from ..models.hashing import content_hash
from .context import encode_context
from .density import plan_density
from .detail import keep_detail
from .hints import about_density, about_sampler
from .room import Room
from .scene import Scene
from .second import SecondPass
from .stages import Stages

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
    components: Components, scene: Scene, start: np.ndarray | None, strength: float, stages: Stages, room: Room
) -> Repainted:
    """Denoises from `start` (h, w, 3), the context's pixels with the first guess in the hole; None: from noise alone.

    At strength 1 the hole begins as pure noise. A UNet of four channels is held to `start` by the denoise mask; one of
    nine channels sees `start` with everything that the layer can show blanked. What is much smaller than the canvas at
    the model's size is refined in a second pass, `SecondPass`, which the denoise stage's steps include.
    """
    request, card, check = scene.request, components.checkpoint.card, stages.hooks.check
    size = scene.plan.model_size
    latent_size = (size.height // components.vae_scale, size.width // components.vae_scale)
    sampler = request.sampler or card.default_sampler
    steps = request.steps if request.steps is not None else card.default_steps
    guidance = float(request.guidance if request.guidance is not None else card.default_guidance)

    checkpoint = components.checkpoint
    # Nothing depends on the seed until the walk begins.
    with stages("encode"):
        made_by = (content_hash(checkpoint.path, checkpoint.files, check=check), repr(checkpoint))
        conditioning = room.kept.get(
            ("prompts", made_by, request.prompt, request.negative_prompt),
            lambda: room.twice(lambda: encode_prompt(components, request.prompt, request.negative_prompt)),
        )
        begins_from = strength < 1 or not checkpoint.inpaint
        context_key = ("context", made_by, scene.fingerprint, begins_from)
        context = room.kept.get(
            context_key,
            lambda: encode_context(components, scene, start, begins_from=begins_from, room=room, check=check),
        )
    original = context.original

    walk = Walk(
        size=latent_size,
        conditioning=conditioning,
        sampler=sampler,
        steps=steps,
        guidance=guidance,
        strength=strength,
        original=original,
        coverage=context.coverage,
        masked=context.masked,
        hole=context.hole,
    )
    batched = components.device.batches and len(request.seeds) > 1
    density = plan_density(components, scene)
    second = (
        None
        if density is None
        else SecondPass(components, scene, density, walk, fresh=start is None, room=room, check=check)
    )
    first_steps = steps_taken(components, walk) * (1 if components.device.batches else len(request.seeds))
    total = first_steps + (second.steps * len(request.seeds) if second else 0)

    def picture_of(latents: torch.Tensor) -> np.ndarray:
        picture = resize(room.decode(components, latents, check=check), request.context.size)
        if start is None or original is None or strength >= 1:
            return picture
        round_trip = room.kept.get(("round trip", *context_key), lambda: room.decode(components, original, check=check))
        return keep_detail(picture, start, resize(round_trip, request.context.size), strength)

    with stages("denoise", total) as advance:
        latents = room.twice(
            lambda: denoise(
                components,
                walk,
                request.seeds,
                check=check,
                progress=advance,
                preview=PreviewMaker(components.latent_to_rgb, stages.hooks.preview),
            )
        )
        drafts = []
        if second is not None:
            for index, (seed, one) in enumerate(zip(request.seeds, latents, strict=True)):
                done = first_steps + index * second.steps
                drafts.append(second.denoise(picture_of(one), seed, progress=partial(_advance_from, advance, done)))
    pictures: list[np.ndarray] = []
    with stages("decode", len(latents)) as advance:
        for index, one in enumerate(latents):
            pictures.append(picture_of(one) if second is None else second.finish(drafts[index]))
            advance(len(pictures))
    hints = (*conditioning.hints, *about_sampler(sampler, steps, guidance))
    if guidance == 1 and request.negative_prompt.strip():
        hints = (*hints, "A negative prompt has no effect at guidance 1; raise the guidance to use it.")
    if density is not None:
        hints = (*hints, *about_density(density))
    return Repainted(pictures, steps, guidance, sampler, batched, hints)


def _advance_from(advance: Callable[[int], None], done: int, step: int) -> None:
    advance(done + step)
