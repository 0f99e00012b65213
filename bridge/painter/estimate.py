"""Estimate: make a map of the picture, for use as a condition."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from ..canvas.composite import Layer
from ..canvas.context import check_context
from ..canvas.errors import NothingKnown
from ..canvas.geometry import Rect
from ..canvas.guides import laid_on
from ..canvas.mask import settle_selection
from ..diffusion.device import is_out_of_memory
from ..models import EstimatorTask
from ..protocol.job import Mode
from ..vision import EstimatedMap, MapOptions, Scene, make_map
from .errors import OutOfMemory, PictureMissing
from .request import Hooks, PaintedLayer, Painting, Request, Resolved
from .stages import Stages

__all__ = ["EstimatorSource", "estimate"]

_PAPER = np.ones(3, np.float32)
_LEAST_ALPHA = 1 / 255


class EstimatorSource(Protocol):
    """The estimators of a job, which are loaded when they are needed."""

    def load(self, check: Callable[[], None]) -> Mapping[EstimatorTask, Any]:
        """Their networks in memory, by what they tell; `check` may raise to end the loading."""

    def free(self) -> None:
        """Lets go of all that is in memory."""


def estimate(request: Request, source: EstimatorSource, hooks: Hooks) -> Painting:
    """One layer, of the context's size and place. Ink is black on nothing; other maps are opaque. A selection cuts it.

    The networks see the picture on white where it is transparent.

    Raises `Cancelled` as soon as `hooks.check` does; PictureMissing, NothingKnown for a picture of which nothing is
    there, ModelsError, CanvasError; OutOfMemory where memory does not suffice even with all else let go.
    """
    stages = Stages(hooks)
    hooks.check()
    check_context(request.canvas, request.context)
    picture = _checked(request)
    rgb = np.clip(laid_on(picture, _PAPER), 0, 1).astype(np.float32)
    try:
        made = _made(request, rgb, source, stages)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        source.free()
        made = None
    if made is None:
        try:
            made = _made(request, rgb, source, stages)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemory(
                "There is not enough memory to make this map.", hint="Choose a smaller part of the picture."
            ) from error
    with stages("compose"):
        layer = Layer(_pixels(made, request), request.context, 0)
    settings = Resolved(replace(request.settings, mode=Mode.ESTIMATE), None, batched=False)
    people = tuple(_on_canvas(person, request.context) for person in made.people)
    return Painting((PaintedLayer(layer, request.seeds[0], settings, people),), stages.timings, ())


def _checked(request: Request) -> np.ndarray:
    shape = (request.context.height, request.context.width)
    if request.picture is None or request.picture.shape != (*shape, 4):
        raise PictureMissing("The picture is not of the size that was planned.", hint="Plan the job again.")
    if request.selection is not None and request.selection.shape != shape:
        raise PictureMissing("The selection is not of the size that was planned.", hint="Plan the job again.")
    if float(request.picture[..., 3].max()) < _LEAST_ALPHA:
        raise NothingKnown(
            "The layer is empty, so there is nothing to make a map of.",
            hint="Choose a layer with a picture, or another part of it.",
        )
    return request.picture


def _made(request: Request, rgb: np.ndarray, source: EstimatorSource, stages: Stages) -> EstimatedMap:
    wanted = request.settings.estimation
    with stages("load"):
        networks = source.load(stages.hooks.check)
    with stages("estimate"):
        options = MapOptions(wanted.weak_edge, wanted.strong_edge, wanted.detail_size, request.seeds[0])
        return make_map(Scene(wanted.control_kind, rgb, networks, options, stages.hooks.check))


def _pixels(made: EstimatedMap, request: Request) -> np.ndarray:
    """(h, w, 4): colour is 0 wherever alpha is."""
    shape = (request.context.height, request.context.width)
    pixels = np.zeros((*shape, 4), np.float32)
    if made.pixels.ndim == 2:
        pixels[..., 3] = made.pixels
    else:
        pixels[..., :3] = made.pixels[..., :3]
        pixels[..., 3] = made.pixels[..., 3] if made.pixels.shape[2] == 4 else 1
    if request.selection is not None:
        pixels[..., 3] *= settle_selection(request.selection)
    pixels[pixels[..., 3] <= 0] = 0
    return pixels


def _on_canvas(person: Mapping[str, tuple[float, float]], context: Rect) -> dict[str, tuple[float, float]]:
    return {name: (x + context.x, y + context.y) for name, (x, y) in person.items()}
