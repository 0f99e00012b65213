"""What all kinds of job end with: layers on the canvas."""

import numpy as np

from ..canvas.composite import Layer, compose_layer, match_colour
from ..canvas.joining import join_surroundings
from ..canvas.mask import selection_bounds
from .detail import recoloured
from .prepare import PreparedInput
from .repaint import Repainted
from .request import PaintedLayer, Painting
from .stages import Stages

__all__ = ["finish"]

_RING = 64


def finish(
    prepared: PreparedInput, repainted: Repainted, hints: tuple[str, ...], stages: Stages, *, match: bool
) -> Painting:
    """Composes a layer for each seed; with `match` their colours are first brought to the surroundings'."""
    settings = prepared.resolved(
        steps=repainted.steps,
        guidance=repainted.guidance,
        sampler=repainted.sampler,
        denoised=repainted.steps > 0,
        batched=repainted.batched,
    )
    layers = []
    with stages("compose", len(repainted.pictures)) as advance:
        for seed, picture in zip(prepared.request.seeds, repainted.pictures, strict=True):
            stages.hooks.check()
            layers.append(PaintedLayer(_layer(prepared, picture, match=match), seed, settings))
            advance(len(layers))
    return Painting(tuple(layers), stages.timings, (*hints, *repainted.hints))


def _layer(prepared: PreparedInput, painted: np.ndarray, *, match: bool) -> Layer:
    context = prepared.request.context
    # Colours are compared close to the mask only: of a large context the rest need not be looked at.
    near = selection_bounds(prepared.masks.denoise)
    window = (near.expanded(_RING).cut_to(context.size) if near else None) or context.size.rect
    painted, alpha, picture = (array[window.slices] for array in (painted, prepared.masks.alpha, prepared.picture))
    if match:
        original, valid = prepared.rgb[window.slices], prepared.valid[window.slices]
        matched = match_colour(painted, original, prepared.masks.denoise[window.slices], valid)
        # What is selected in part is no surroundings: to be brought to it would undo what is painted there.
        matched = join_surroundings(matched, original, np.where(prepared.selected[window.slices], 1, alpha), valid)
        share = recoloured(prepared.request.strength) if prepared.detailed else 1.0
        painted = matched if share == 1 else painted + (matched - painted) * np.float32(share)
    return compose_layer(
        painted,
        picture,
        alpha,
        window.translated(context.x, context.y),
        cover_transparent=prepared.covers,
        reach=0 if prepared.request.settings.edges.strict else prepared.plan.reach,
    )
