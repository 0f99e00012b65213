"""One recipe per kind of job, from canvas, models and diffusion. Imports torch, so only the worker imports it."""

import traceback
from collections.abc import Sequence
from dataclasses import replace

from ..diffusion import ModelNotFinite
from ..diffusion.device import is_out_of_memory
from .errors import Cancelled, OutOfMemory, PainterError, PictureMissing
from .estimate import EstimatorSource, estimate
from .fill import fill
from .generate import generate
from .hints import about_offloading, about_precision, what_would_fit
from .oom_guard import OomGuard
from .parts import Part, PartHooks, together
from .refine import refine
from .request import Condition, Hooks, InpaintingGuide, ModelSource, PaintedLayer, Painting, Region, Request
from .result_cache import ResultCache
from .upscale import upscale

__all__ = [
    "KINDS",
    "Cancelled",
    "Condition",
    "EstimatorSource",
    "Hooks",
    "InpaintingGuide",
    "ModelSource",
    "OutOfMemory",
    "PaintedLayer",
    "PainterError",
    "Painting",
    "PictureMissing",
    "Region",
    "Request",
    "ResultCache",
    "estimate",
    "paint",
    "paint_parts",
]

KINDS = {"fill": fill, "refine": refine, "generate": generate, "upscale": upscale}
"""The recipe of each kind of job that denoises."""


def paint(request: Request, source: ModelSource, hooks: Hooks, results: ResultCache | None = None) -> Painting:
    """Does one job. `source` is `ModelCache.on_demand(checkpoint)`.

    What is in `results` from earlier jobs is not computed again; None: everything is.
    The pictures are the same.

    Raises `Cancelled` as soon as `hooks.check` does; PainterError, CanvasError and ModelsError, each with a `code`, for
    all that can go wrong. Where memory does not suffice, the job begins again with more of the checkpoint outside the
    device; where half precision does not hold a checkpoint's numbers, in float32. `OutOfMemory` leaves no picture's
    memory behind.
    """
    if request.settings.kind not in KINDS:
        raise PainterError("There is no kind of job called {kind}.", kind=repr(request.settings.kind))
    results = results or ResultCache()
    hints: tuple[str, ...] = ()
    while True:
        try:
            painting = _painted(request, source, hooks, results)
        except ModelNotFinite as error:
            if not (error.half and source.full_precision()):
                raise
            # Prompts, too, were encoded in half precision.
            results.free()
            hints = (*hints, about_precision(source.checkpoint))
            continue
        if painting is not None:
            return replace(painting, hints=(*painting.hints, *hints))
        if not source.offload():
            hint = what_would_fit(request, source.checkpoint)
            raise OutOfMemory("There is not enough memory to paint this.", hint=hint)
        hints = tuple(dict.fromkeys((*hints, about_offloading(source.checkpoint))))


def _painted(request: Request, source: ModelSource, hooks: Hooks, results: ResultCache) -> Painting | None:
    """None: out of memory, in spite of all that the guard can do."""
    guard = OomGuard(
        results, lambda: source.evict_unused(request.guides), vae_pixels=lambda: source.placement.vae_pixels
    )
    try:
        painting = KINDS[request.settings.kind](request, source, hooks, guard)
        return replace(painting, hints=(*painting.hints, *guard.hints))
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)
        guard.free()
        return None
    finally:
        # What was made in tiles differs a little from what would have been made at once.
        if guard.tiled:
            guard.free()


def paint_parts(parts: Sequence[Part], hooks: Hooks, results: ResultCache | None = None) -> Painting:
    """Does a job whose pictures are asked for in different words, one part after the other; else as `paint`.

    The parts share what is kept, so that only prompts and denoising are done for each. The layers are part by part.
    """
    results = results or ResultCache()
    pictures = sum(len(request.seeds) for request, _ in parts)
    paintings: list[Painting] = []
    for request, source in parts:
        before = sum(len(painting.layers) for painting in paintings)
        part = PartHooks(hooks, before=before, of=pictures, pictures=len(request.seeds))
        paintings.append(paint(request, source, hooks if len(parts) == 1 else part, results))
    return paintings[0] if len(parts) == 1 else together(paintings)
