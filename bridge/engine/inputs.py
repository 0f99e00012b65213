"""What a job brings, checked and decoded; and what can go wrong with it, in the wire's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..canvas.mask import LEAST_COVERAGE, check_selected
from ..control_kinds import CONTROL_KINDS, ControlKind, PictureReading
from ..errors import PaintbridgeError
from ..protocol.errors import CODES, BridgeError
from ..protocol.messages import Condition, Extent, Picture, Submit
from ..protocol.pixels import Buffer
from . import pictures

__all__ = ["Inputs", "bridge_error", "read_inputs", "with_alpha"]

_COVERAGE_SLACK = 1e-3


@dataclass(frozen=True)
class Inputs:
    """A job's pictures as the painter wants them: (h, w, 4) and (h, w), float32; None as in ``Submit``. ``conditions``
    has the picture of each condition, (h, w, channels), and its mask, (h, w) or None; ``regions`` each region's mask.
    """

    picture: np.ndarray | None
    selection: np.ndarray | None
    conditions: tuple[tuple[np.ndarray, np.ndarray | None], ...] = ()
    regions: tuple[np.ndarray, ...] = ()


def read_inputs(submit: Submit, data: Mapping[str, Buffer]) -> Inputs:
    """Decode what a job brings, and see that it fits.

    Raises:
        BridgeError: ``picture_unknown picture_mismatch picture_unreadable out_of_range``; CanvasError with such a code.
    """
    pictures.check_format(submit.result.depth, submit.result.encoding)
    context = Extent(submit.context.width, submit.context.height)
    selection = None
    if submit.selection is not None:
        selection = _coverage(_decoded(submit.selection, data, "selection", (1,), context), "selection")
        check_selected(selection)
    picture = None
    if submit.picture is not None:
        picture = with_alpha(_decoded(submit.picture, data, "picture", (3, 4), context))
    guides, what = submit.settings.conditioning, "region's mask"
    return Inputs(
        picture,
        selection,
        tuple(_condition(submit, condition, data) for condition in guides.conditions),
        tuple(_coverage(_decoded(one.mask, data, what, (1,), context), what) for one in guides.regions),
    )


def _condition(
    submit: Submit, condition: Condition, data: Mapping[str, Buffer]
) -> tuple[np.ndarray, np.ndarray | None]:
    name = condition.kind.replace("_", " ")
    context = Extent(submit.context.width, submit.context.height)
    kind = CONTROL_KINDS[condition.kind]
    size = context if kind.is_map else Extent(condition.picture.width, condition.picture.height)
    picture = _decoded(condition.picture, data, name, kind.channels, size)
    _check_drawn(picture, kind, name)
    if condition.mask is None:
        return picture, None
    mask = _coverage(_decoded(condition.mask, data, f"{name}'s mask", (1,), context), f"{name}'s mask")
    if not float(mask.max()) >= LEAST_COVERAGE:
        raise BridgeError(
            "picture_mismatch",
            "The {name}'s mask selects nothing, so the {name} would count nowhere.",
            "Paint in the mask where it should count; if the mask's values are 0 and 1, bring them to its full range.",
            name=name,
        )
    return picture, mask


def _check_drawn(picture: np.ndarray, kind: ControlKind, name: str) -> None:
    alone = picture.shape[2] == 1 and kind.reading is PictureReading.DRAWN_LINES
    if (picture.shape[2] == 4 or alone) and not float(picture[..., -1].max()) > 0:
        raise BridgeError(
            "picture_mismatch",
            "The {name} is empty: there is nothing on it.",
            "Draw on the layer, choose another one, or leave it out.",
            name=name,
        )


def _decoded(
    described: Picture, data: Mapping[str, Buffer], what: str, channels: tuple[int, ...], size: Extent
) -> np.ndarray:
    if (described.width, described.height) != (size.width, size.height):
        raise BridgeError(
            "picture_mismatch",
            "The {name} has {width} x {height} pixels, but the context has {context_width} x {context_height}.",
            "Plan the job again, then submit it.",
            name=what,
            width=described.width,
            height=described.height,
            context_width=size.width,
            context_height=size.height,
        )
    if described.channels not in channels:
        raise BridgeError(
            "picture_mismatch",
            "The {name} has {channels} channels; it must have {wanted}.",
            "Update the plug-in: it sends the wrong kind of picture.",
            name=what,
            channels=described.channels,
            wanted=" or ".join(map(str, channels)),
        )
    if described.hash not in data:
        raise BridgeError("picture_unknown")
    return pictures.decode(described, data[described.hash])


def _coverage(coverage: np.ndarray, what: str) -> np.ndarray:
    low, high = float(coverage.min()), float(coverage.max())
    if low < -_COVERAGE_SLACK or high > 1 + _COVERAGE_SLACK:
        raise BridgeError(
            "picture_mismatch",
            "The {what}'s coverage must lie between 0 and 1, but goes from {low} to {high}.",
            "Bring its numbers to that range, for example by dividing them by 255.",
            what=what,
            low=f"{low:.4g}",
            high=f"{high:.4g}",
        )
    # What a host's own float arithmetic left over.
    clipped: np.ndarray = np.clip(coverage[..., 0], 0.0, 1.0)
    return clipped


def with_alpha(picture: np.ndarray) -> np.ndarray:
    """(h, w, 3 or 4) as (h, w, 4), opaque where nothing else is said."""
    if picture.shape[2] == 4:
        return picture
    return np.concatenate([picture, np.ones_like(picture[..., :1])], axis=2)


def bridge_error(error: Exception) -> BridgeError | None:
    """The wire's words for an error that was foreseen; None for any other.

    The rooms' own errors bring a code of the table.
    """
    if isinstance(error, BridgeError):
        return error
    if isinstance(error, MemoryError):
        return BridgeError("out_of_memory")
    if isinstance(error, PaintbridgeError) and error.code in CODES and error.code != "internal":
        return BridgeError(error.code, error.message, error.hint)
    return None
