"""Fill: put something new, or nothing, where the selection is."""

from collections.abc import Callable
from functools import partial

import numpy as np

from ..canvas.infill import infill
from .finish import finish
from .hints import about_infill, about_known_names
from .loading import load
from .repaint import Repainted, repaint
from .request import Hooks, Model, Painting, Request
from .room import Room
from .scene import Scene, set_scene
from .stages import Stages

__all__ = ["fill", "first_guess"]

# Where a canvas has grown, what is repainted by this share at least is new, and other pixels stay: of the feather, a
# fifth.
_FRINGE = 0.9


def fill(request: Request, model: Model, hooks: Hooks, room: Room) -> Painting:
    """Fills the selection: a first guess by the mode's infill, denoised at the request's strength.

    Where nothing is asked for and the checkpoint's card leaves that to the infill, the infill is the result, at full
    resolution, and the weights are not even loaded.
    """
    stages = Stages(hooks)
    hooks.check()
    scene = set_scene(request, model.checkpoint)
    card = model.checkpoint.card
    infilled = card.empty_prompt == "infill" and not request.settings.conditioning.prompt.strip()
    if infilled or scene.plan.mode == "remove":
        scene.check_known()
    if infilled:
        with stages("infill"):
            guess = room.kept.get(("continued", scene.fingerprint), partial(_continued, scene, hooks.check))
        untouched = Repainted([guess] * len(request.seeds), 0, card.default_guidance, card.default_sampler, False, ())
        return finish(scene, untouched, about_infill(card, request, scene.plan.mode), stages, match=False)

    components, guides = load(request, model, stages, room)
    with stages("infill"):
        guess = room.kept.get(("infill", scene.fingerprint), partial(first_guess, scene, hooks.check))
    repainted = repaint(components, scene, guess, request.strength, stages, room, guides)
    return finish(scene, repainted, about_known_names(card, request.settings.conditioning.prompt), stages, match=True)


def first_guess(scene: Scene, check: Callable[[], None]) -> np.ndarray:
    """What the model begins from, (h, w, 3) of the context, by the scene's `infill_mode`."""
    if scene.infill_mode == "refine":
        return scene.rgb
    return infill(scene.rgb, scene.masks.denoise, scene.valid, scene.infill_mode, check)


def _continued(scene: Scene, check: Callable[[], None]) -> np.ndarray:
    """The surroundings continued into the hole at full resolution, over what was transparent too if that is covered.

    Of a picture whose canvas has grown nothing is selected that shows: then it is continued from close to its edge.
    Only the last pixels before that are given up, where lenses and sharpening leave fringes.
    """
    if not scene.covers:
        return infill(scene.rgb, scene.masks.denoise, scene.valid, "remove", check)
    denoise = scene.masks.denoise
    grown = not (scene.selected & scene.valid).any()
    visible = np.where(denoise >= _FRINGE, 1, 0) if grown else denoise
    hole = np.where(scene.valid, visible, denoise > 0).astype(np.float32)
    return infill(scene.rgb, hole, scene.valid | (denoise > 0), "remove", check)
