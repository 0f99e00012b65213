"""Generate: paint afresh, looking at nothing; into the selection's bounds where there is one."""

from .finish import finish
from .hints import about_known_names
from .loading import load
from .repaint import repaint
from .request import Hooks, Model, Painting, Request
from .room import Room
from .scene import set_scene
from .stages import Stages

__all__ = ["generate"]


def generate(request: Request, model: Model, hooks: Hooks, room: Room) -> Painting:
    """Denoises from noise alone; the selection, if any, is the layer's alpha."""
    stages = Stages(hooks)
    hooks.check()
    scene = set_scene(request, model.checkpoint)
    components, guides = load(request, model, stages, room)
    repainted = repaint(components, scene, None, 1.0, stages, room, guides)
    hints = about_known_names(model.checkpoint.card, request.settings.conditioning.prompt)
    if request.strength < 1:
        hints = (*hints, "Generate always paints afresh, so the strength had no effect; refine keeps what is there.")
    return finish(scene, repainted, hints, stages, match=False)
