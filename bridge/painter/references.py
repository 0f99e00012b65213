"""Pictures that a model is shown beside what it paints: their size, their numbers, and what prompts call them."""

import math

import numpy as np

from ..canvas.geometry import Size
from ..canvas.resample import resize
from ..models import Checkpoint
from ..prompts import named_as
from ..protocol.job import JobKind
from .request import Request

__all__ = ["about_references", "reference_indices", "shown_reference"]


def reference_indices(request: Request) -> dict[int, int]:
    """The numbers, from 0, of the references that the model takes itself, by their places among the conditions.

    With fill and refine the picture itself is the first.
    """
    first = 1 if request.settings.kind in (JobKind.FILL, JobKind.REFINE) else 0
    own = [place for place, one in enumerate(request.conditions) if one.guide is None]
    return {place: first + number for number, place in enumerate(own)}


def about_references(text: str, request: Request, checkpoint: Checkpoint) -> str:
    """A prompt with what the model is told of its references in place of their names.

    Raises PromptUnreadable for a name that no reference has.
    """
    indices, words = reference_indices(request), checkpoint.family.reference_words or ""
    return named_as(
        text,
        {
            one.name: words.format(number=indices[place] + 1) if place in indices else ""
            for place, one in enumerate(request.conditions)
            if one.name is not None
        },
    )


def shown_reference(picture: np.ndarray, checkpoint: Checkpoint) -> np.ndarray:
    """A reference (h, w, 3) as the model is shown it: of its native size at most, and cut in its middle to edges that
    its family takes.
    """
    height, width = picture.shape[:2]
    multiple = checkpoint.family.multiple
    scale = min(1.0, math.sqrt(checkpoint.card.native_pixels / (height * width)))
    scale = max(scale, multiple / min(height, width))
    size = Size(max(multiple, round(width * scale)), max(multiple, round(height * scale)))
    if size != Size(width, height):
        picture = np.clip(resize(picture, size), 0, 1)
    rows, columns = (edge // multiple * multiple for edge in picture.shape[:2])
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    return np.ascontiguousarray(picture[top : top + rows, left : left + columns], np.float32)
