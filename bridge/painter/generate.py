"""Generate: paint afresh, looking at nothing; into the selection's bounds where there is one."""

from .finish import finish
from .hints import about_known_names
from .oom_guard import OomGuard
from .prepare import prepare
from .repaint import repaint
from .request import Hooks, ModelSource, Painting, Request
from .stages import Stages, load

__all__ = ["generate"]


def generate(request: Request, source: ModelSource, hooks: Hooks, guard: OomGuard) -> Painting:
    """Denoises from noise alone; the selection, if any, is the layer's alpha."""
    stages = Stages(hooks)
    hooks.check()
    prepared = prepare(request, source.checkpoint)
    model, networks = load(request, source, stages, guard)
    repainted = repaint(model, prepared, None, 1.0, stages, guard, networks)
    hints = about_known_names(source.checkpoint.card, prepared.request.prompts)
    if request.strength < 1:
        hints = (*hints, "Generate always paints afresh, so the strength had no effect; refine keeps what is there.")
    return finish(prepared, repainted, hints, stages, match=False)
