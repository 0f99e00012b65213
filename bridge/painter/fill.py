"""Fill: put something new, or nothing, where the selection is."""

from collections.abc import Callable
from functools import partial

import numpy as np

from ..canvas.infill import infill
from .finish import finish
from .hints import about_infill, about_known_names
from .oom_guard import OomGuard
from .prepare import PreparedInput, prepare
from .repaint import Repainted, repaint
from .request import Hooks, ModelSource, Painting, Request
from .stages import Stages, load

__all__ = ["fill", "first_guess"]

# Where a canvas has grown, what is repainted by this share at least is new, and other pixels stay: of the feather, a
# fifth.
_FRINGE = 0.9


def fill(request: Request, source: ModelSource, hooks: Hooks, guard: OomGuard) -> Painting:
    """Fills the selection: a first guess by the mode's infill, denoised at the request's strength.

    Where nothing is asked for and the checkpoint's card leaves that to the infill, the infill is the result, at full
    resolution, and the weights are not even loaded.
    """
    stages = Stages(hooks)
    hooks.check()
    prepared = prepare(request, source.checkpoint)
    card = source.checkpoint.card
    infilled = card.empty_prompt == "infill" and not any(one.strip() for one in prepared.request.prompts)
    if infilled or prepared.plan.mode == "remove":
        prepared.check_known()
    if infilled:
        with stages("infill"):
            guess = guard.results.get(("continued", prepared.fingerprint), partial(_continued, prepared, hooks.check))
        untouched = Repainted([guess] * len(request.seeds), 0, card.default_guidance, card.default_sampler, False, ())
        return finish(prepared, untouched, about_infill(card, request, prepared.plan.mode), stages, match=False)

    model, networks = load(request, source, stages, guard)
    with stages("infill"):
        guess = guard.results.get(("infill", prepared.fingerprint), partial(first_guess, prepared, hooks.check))
    repainted = repaint(model, prepared, guess, request.strength, stages, guard, networks)
    return finish(prepared, repainted, about_known_names(card, prepared.request.prompts), stages, match=True)


def first_guess(prepared: PreparedInput, check: Callable[[], None]) -> np.ndarray:
    """What the model begins from, (h, w, 3) of the context, by `PreparedInput.infill_mode`."""
    if prepared.infill_mode == "refine":
        return prepared.rgb
    return infill(prepared.rgb, prepared.masks.denoise, prepared.valid, prepared.infill_mode, check)


def _continued(prepared: PreparedInput, check: Callable[[], None]) -> np.ndarray:
    """The surroundings continued into the mask at full resolution, over what was transparent too if that is covered.

    Of a picture whose canvas has grown nothing is selected that shows: then it is continued from close to its edge.
    Only the last pixels before that are given up, where lenses and sharpening leave fringes.
    """
    if not prepared.covers:
        return infill(prepared.rgb, prepared.masks.denoise, prepared.valid, "remove", check)
    denoise = prepared.masks.denoise
    grown = not (prepared.selected & prepared.valid).any()
    visible = np.where(denoise >= _FRINGE, 1, 0) if grown else denoise
    mask = np.where(prepared.valid, visible, denoise > 0).astype(np.float32)
    return infill(prepared.rgb, mask, prepared.valid | (denoise > 0), "remove", check)
