"""The part of a job that the model does: pixels to latents, denoising, and back to pixels at the canvas's density."""

from dataclasses import dataclass

import numpy as np
import torch

from ..canvas.resample import resize
from ..diffusion import Components, Walk, denoise, steps_taken
from .asked import ask
from .conditions import Guides
from .context import encode_context
from .density import plan_density
from .detail import keep_colour, keep_detail, keep_shown
from .hints import about_density
from .room import Room
from .scene import Scene
from .second import SecondPass
from .stages import Stages, after, previews, show
from .view import placed, placed_previews

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
    components: Components,
    scene: Scene,
    start: np.ndarray | None,
    strength: float,
    stages: Stages,
    room: Room,
    guides: Guides,
) -> Repainted:
    """Denoises from `start` (h, w, 3), the context's pixels with the first guess in the hole; None: from noise alone.

    At strength 1 the hole begins as pure noise. A UNet of four channels is held to `start` by the denoise mask; one of
    nine channels sees `start` with everything that the layer can show blanked, unless its card wants to see that, too:
    what it then paints upon it is kept, and the rest is `start`. What is much smaller than the canvas at
    the model's size is refined in a second pass, `SecondPass`, which the denoise stage's steps include.
    """
    request, check = scene.request, stages.hooks.check
    size, view = scene.model_size, scene.view
    latent_size = (size.height // components.vae_scale, size.width // components.vae_scale)

    # Nothing depends on the seed until the walk begins.
    with stages("encode"):
        asked = ask(components, request, room, check=check)
        begins_from = strength < 1 or not components.checkpoint.inpaint
        context_key = ("context", asked.made_by, scene.fingerprint, begins_from)
        context = room.kept.get(
            context_key,
            lambda: encode_context(components, scene, start, begins_from=begins_from, room=room, check=check),
        )
    original = context.original

    walk = Walk(
        size=latent_size,
        conditioning=asked.conditioning,
        sampler=asked.sampler,
        steps=asked.steps,
        guidance=asked.guidance,
        strength=strength,
        original=original,
        coverage=context.coverage,
        masked=context.masked,
        hole=context.hole,
        controls=guides.at(lambda array, resized: resized(array[view.slices], size)),
    )
    batched = components.device.batches and len(request.seeds) > 1
    density = plan_density(components, scene)
    second = (
        None
        if density is None
        else SecondPass(components, scene, density, walk, fresh=start is None, guides=guides, room=room, check=check)
    )
    first_steps = steps_taken(components, walk) * (1 if components.device.batches else len(request.seeds))
    total = first_steps + (second.steps * len(request.seeds) if second else 0)

    def picture_of(latents: torch.Tensor) -> np.ndarray:
        picture = resize(room.decode(components, latents, check=check), view.size)
        upon = scene.shown and request.settings.kind == "fill"
        if start is None or original is None or not scene.detailed or (strength >= 1 and not upon):
            return placed(picture, view, start)
        round_trip = room.kept.get(("round trip", *context_key), lambda: room.decode(components, original, check=check))
        looked_at, round_trip = start[view.slices], resize(round_trip, view.size)
        if upon:
            return placed(keep_shown(picture, looked_at, round_trip), view, start)
        picture = keep_detail(picture, looked_at, round_trip, strength)
        return placed(keep_colour(picture, looked_at, strength), view, start)

    with stages("denoise", total) as advance:
        latents = room.twice(
            lambda: denoise(
                components,
                walk,
                request.seeds,
                check=check,
                progress=advance,
                preview=previews(components, request, placed_previews(stages.hooks.preview, view, start)),
            )
        )
        drafts = []
        if second is not None:
            for index, (seed, one) in enumerate(zip(request.seeds, latents, strict=True)):
                done = first_steps + index * second.steps
                picture = picture_of(one)
                show(picture, done, request, stages.hooks)
                drafts.append(second.denoise(picture, seed, progress=after(advance, done)))
    pictures: list[np.ndarray] = []
    with stages("decode", len(latents)) as advance:
        for index, one in enumerate(latents):
            pictures.append(picture_of(one) if second is None else second.finish(drafts[index]))
            advance(len(pictures))
    hints = (*asked.hints, *guides.hints(steps_taken(components, walk)))
    if density is not None:
        hints = (*hints, *about_density(density))
    return Repainted(pictures, asked.steps, asked.guidance, asked.sampler, batched, hints)
