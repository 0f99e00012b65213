"""Refine: paint again what is there, as far from it as the strength says."""

from .finish import finish
from .hints import about_known_names
from .oom_guard import OomGuard
from .prepare import prepare
from .repaint import repaint
from .request import Hooks, ModelSource, Painting, Request
from .stages import Stages, load

__all__ = ["refine"]


def refine(request: Request, source: ModelSource, hooks: Hooks, guard: OomGuard) -> Painting:
    """Denoises the picture itself in the selection, or all of it where nothing is selected."""
    stages = Stages(hooks)
    hooks.check()
    prepared = prepare(request, source.checkpoint)
    model, networks = load(request, source, stages, guard)
    repainted = repaint(model, prepared, prepared.rgb, request.strength, stages, guard, networks)
    return finish(
        prepared,
        repainted,
        about_known_names(source.checkpoint.card, prepared.request.prompts),
        stages,
        match=True,
    )
