"""One recipe per kind of job, from canvas, models and diffusion. Imports torch, so only the worker imports it."""

from .errors import Cancelled, OutOfMemory, PainterError, PictureMissing, SamplerUnsupported, is_out_of_memory
from .fill import fill
from .generate import generate
from .kept import Kept
from .refine import refine
from .request import Hooks, Model, PaintedLayer, Painting, Request

__all__ = [
    "KINDS",
    "Cancelled",
    "Hooks",
    "Kept",
    "Model",
    "OutOfMemory",
    "PaintedLayer",
    "PainterError",
    "Painting",
    "PictureMissing",
    "Request",
    "SamplerUnsupported",
    "paint",
]

KINDS = {"fill": fill, "refine": refine, "generate": generate}
"""The recipe of each kind of job."""


def paint(request: Request, model: Model, hooks: Hooks, kept: Kept | None = None) -> Painting:
    """Does one job. `model` is `ComponentCache.on_demand(checkpoint)`.

    What is in `kept` from earlier jobs is not computed again; None: everything is. The
    pictures are the same.

    Raises `Cancelled` as soon as `hooks.check` does; PainterError, CanvasError and ModelsError, each with a `code`, for
    all that can go wrong. `OutOfMemory` leaves no picture's memory behind.
    """
    if request.kind not in KINDS:
        raise PainterError(f"There is no kind of job called {request.kind!r}.")
    try:
        return KINDS[request.kind](request, model, hooks, kept or Kept())
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    raise OutOfMemory(
        "There is not enough memory to paint this.",
        hint="Close other programs, paint fewer pictures at a time, or choose a smaller checkpoint.",
    )
