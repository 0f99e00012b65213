"""What a job needs in memory before it begins: the checkpoint's parts, one by one, and its ControlNets."""

from ..diffusion import Components
from .conditions import Guides, load_guides
from .request import Model, Request
from .room import Room
from .stages import Stages

__all__ = ["load"]


def load(request: Request, model: Model, stages: Stages, room: Room) -> tuple[Components, Guides]:
    """The stage "load", whose steps are the checkpoint's parts."""
    with stages("load", len(model.checkpoint.family.weighted_parts)) as advance:
        components = room.twice(lambda: model.load(stages.hooks.check, advance))
        return components, load_guides(request, model, room, stages.hooks)
