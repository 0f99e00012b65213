"""Refine: paint again what is there, as far from it as the strength says."""

from .finish import finish
from .hints import about_known_names
from .loading import load
from .repaint import repaint
from .request import Hooks, Model, Painting, Request
from .room import Room
from .scene import set_scene
from .stages import Stages

__all__ = ["refine"]


def refine(request: Request, model: Model, hooks: Hooks, room: Room) -> Painting:
    """Denoises the picture itself in the selection, or all of it where nothing is selected."""
    stages = Stages(hooks)
    hooks.check()
    scene = set_scene(request, model.checkpoint)
    components, guides = load(request, model, stages, room)
    repainted = repaint(components, scene, scene.rgb, request.strength, stages, room, guides)
    return finish(
        scene,
        repainted,
        about_known_names(model.checkpoint.card, request.settings.conditioning.prompt),
        stages,
        match=True,
    )
