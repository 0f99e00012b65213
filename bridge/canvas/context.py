"""Which rectangle of the canvas the model gets to see, and how far the edit may reach.

All of it is geometry on bounds: no pixel is needed, and neither strength nor prompt has a say, so that no slider makes
the context jump. Standard library only: the server answers `plan` with this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..protocol.job import MODES, SCALES
from .errors import ContextInvalid, EmptySelection, ModeUnsupported, ValueOutOfRange
from .geometry import Rect, Size
from .model_size import ModelFit, PixelRange, fit_to_model

__all__ = [
    "EXPAND_DEPTH",
    "EXPAND_LENGTH",
    "FEATHER_RANGE",
    "FEATHER_SHARE",
    "GROW",
    "LEAST_ROOM",
    "UPSCALE_ROOM",
    "Plan",
    "check_context",
    "check_scale",
    "plan",
    "reach_of",
]

LEAST_ROOM = 64
"""Pixels of room around a selection, at least."""
UPSCALE_ROOM = 32
"""What an upscale looks at around a selection: enough for resampling, and for a tile to see what goes on there."""
GROW = 4.0
FEATHER_SHARE = 0.05
"""Of the selection's diagonal."""
FEATHER_RANGE = (4.0, 64.0)
# Modes that repaint what is selected, and look at what is around it.
_SURROUNDED = ("fill", "expand", "add", "remove", "refine")
# Kinds of jobs that look at nothing around the selection, and those that take a context of any shape.
_UNSURROUNDED = ("generate", "estimate")
_OF_ANY_SHAPE = ("upscale", "estimate")
EXPAND_LENGTH = 0.9
EXPAND_DEPTH = 0.5
"""A selection for outpainting lies along this share of a canvas side at least, and reaches no further in than that."""


@dataclass(frozen=True)
class Plan:
    """The geometry of one job. Rectangles are canvas pixels; grow, feather and reach too.

    `bounds` is what will be repainted, before growing: the selection's bounds cut to the canvas; all of the canvas for
    mode "background", which repaints what is not selected. Alpha is 0 further than `reach` from any selected pixel.
    `fit` says how the context becomes the picture that the model paints.
    """

    context: Rect
    bounds: Rect
    grow: float
    feather: float
    reach: int
    fit: ModelFit
    mode: str

    @property
    def model_size(self) -> Size:
        """The size of the picture that the model paints."""
        return self.fit.size


def plan(
    canvas: Size,
    bounds: Rect | None,
    *,
    kind: str,
    mode: str,
    choice: str,
    rect: Rect | None,
    grow: float | None,
    feather: float | None,
    native_pixels: int,
    multiple: int = 8,
    native_range: PixelRange | None = None,
    max_aspect: float = 2.0,
    scale: int = 1,
) -> Plan:
    """Plan a job.

    The context is the bounds with room on every side (at least half of the square root of their area, 64 px, and the
    reach), grown toward `max_aspect`, and moved inward where the canvas ends so that the room is used. "generate" looks
    at no surroundings: its context is the bounds and the reach. "upscale" looks at few, and is painted in tiles, so
    neither its aspect ratio nor the native size matters: the model's size is the enlarged context's, rounded up.
    "estimate" looks at what it makes a map of and no further; `rect` may lie anywhere, and the model's size is its own.
    Where a context that is chosen here can be painted pixel by pixel, its sides become multiples of `multiple`.

    Args:
        bounds: of the selection's pixels above 0; may lie partly off the canvas. None: the whole canvas.
        kind: a key of `MODES`; `mode` one of its modes.
        choice: "auto" as above; "selection": no more room than the reach; "canvas": all; "rect": `rect`.
        grow, feather: pixels; None: 4 px, and 5 % of the selection's diagonal within 4..64 px. For "background" 0 and 4
            px, since it would grow into what is to be kept; for "generate" and "upscale" 0 and 0.
        native_pixels: the pixel count that the model paints best at; sides are multiples of `multiple`.
        native_range: the pixel counts that it paints without resampling (`fit_to_model`); None: just about the native.
        scale: how many times the context is enlarged: 2 or 4 for "upscale", 1 for any other kind.

    Raises:
        EmptySelection: the bounds lie wholly off the canvas.
        ContextInvalid: `rect` is missing, off the canvas, or (but with "estimate") does not hold the bounds.
        ModeUnsupported: the kind does not have the mode, or there is no such kind.
        ValueOutOfRange: a negative or endless grow or feather, an unknown choice, or another scale.
    """
    resolved = _resolve_mode(kind, mode, canvas, bounds)
    check_scale(kind, scale)
    selected = canvas.rect if bounds is None else bounds.cut_to(canvas)
    if selected is None:
        raise EmptySelection("The selection lies outside the canvas, so there is nothing to repaint; select again.")
    grow = _checked("Grow", grow, GROW if resolved in _SURROUNDED else 0.0)
    feather = _checked("Feather", feather, _default_feather(selected, resolved))
    reach = reach_of(grow, feather)
    repainted = canvas.rect if resolved == "background" else selected
    if choice == "canvas":
        context = canvas.rect
    elif choice == "rect":
        context = _given(rect, None if kind == "estimate" else repainted, canvas)
    elif choice in ("auto", "selection"):
        room = reach
        if choice == "auto" and kind == "upscale":
            room = max(room, UPSCALE_ROOM)
        elif choice == "auto" and kind not in _UNSURROUNDED:
            room = max(room, LEAST_ROOM, math.ceil(math.sqrt(repainted.area) / 2))
        context = _with_room(repainted, room, canvas, math.inf if kind in _OF_ANY_SHAPE else max_aspect)
    else:
        raise ValueOutOfRange(
            'There is no context choice "{choice}"; choose auto, selection, canvas or rect.', choice=choice
        )
    if kind == "estimate":
        # What a network looks at is its own affair: the map has a pixel for each of the context's.
        return Plan(
            context, repainted, grow, feather, reach, ModelFit(context.size, context.size, context.size), resolved
        )
    if kind == "upscale":
        whole = Size(context.width * scale, context.height * scale)
        size = Size(*(-(-side // multiple) * multiple for side in (whole.width, whole.height)))
        return Plan(context, repainted, grow, feather, reach, ModelFit(whole, whole, size), resolved)

    def fitted(context: Rect) -> ModelFit:
        return fit_to_model(context.size, native_pixels=native_pixels, multiple=multiple, native_range=native_range)

    if native_range is not None and choice in ("auto", "selection"):
        changing = repainted.expanded(reach).cut_to(canvas) or repainted
        aligned = _aligned(context, changing, canvas, multiple)
        if fitted(aligned).scaled == aligned.size:
            context = aligned
    return Plan(context, repainted, grow, feather, reach, fitted(context), resolved)


def check_scale(kind: str, scale: int) -> None:
    """Hold how many times a job enlarges against its kind.

    Raises:
        ValueOutOfRange: an upscale by other than 2 or 4, or another kind by other than 1.
    """
    if kind == "upscale" and scale not in SCALES:
        raise ValueOutOfRange(
            "An upscale enlarges {scales} times, not {scale}.", scales=" or ".join(map(str, SCALES)), scale=scale
        )
    if kind != "upscale" and scale != 1:
        raise ValueOutOfRange("A {kind} job enlarges nothing; choose upscale, or leave the scale at 1.", kind=kind)


def reach_of(grow: float, feather: float) -> int:
    """How far beyond the selection anything may change, in whole pixels."""
    return math.ceil(grow + feather)


def check_context(canvas: Size, context: Rect) -> None:
    """Hold a context that came back from a host against the canvas.

    Raises:
        ContextInvalid: it reaches beyond the canvas.
    """
    if not canvas.rect.contains(context):
        raise ContextInvalid("The context reaches beyond the canvas; plan the job again, then submit it.")


def _resolve_mode(kind: str, mode: str, canvas: Size, bounds: Rect | None) -> str:
    if kind not in MODES:
        raise ModeUnsupported(
            'There is no kind of job called "{kind}"; choose one of {modes}.', kind=kind, modes=", ".join(MODES)
        )
    if mode not in MODES[kind]:
        raise ModeUnsupported(
            'A {kind} job has no mode "{mode}"; choose one of {modes}.',
            kind=kind,
            mode=mode,
            modes=", ".join(MODES[kind]),
        )
    if mode != "auto":
        return mode
    if kind != "fill":
        return kind
    return "expand" if bounds is not None and _lies_along_an_edge(bounds, canvas) else "fill"


def _lies_along_an_edge(bounds: Rect, canvas: Size) -> bool:
    """Whether the bounds look like a strip for outpainting."""
    cut = bounds.cut_to(canvas)
    if cut is None:
        return False
    upright = cut.height >= EXPAND_LENGTH * canvas.height and cut.width <= EXPAND_DEPTH * canvas.width
    lying = cut.width >= EXPAND_LENGTH * canvas.width and cut.height <= EXPAND_DEPTH * canvas.height
    at_side = cut.x == 0 or cut.right == canvas.width
    at_end = cut.y == 0 or cut.bottom == canvas.height
    return (upright and at_side) or (lying and at_end)


def _default_feather(selected: Rect, mode: str) -> float:
    low, high = FEATHER_RANGE
    if mode in _SURROUNDED:
        return min(high, max(low, FEATHER_SHARE * math.hypot(selected.width, selected.height)))
    return low if mode == "background" else 0.0


def _checked(name: str, value: float | None, default: float) -> float:
    if value is None:
        return default
    if not math.isfinite(value) or value < 0:
        raise ValueOutOfRange("{name} must be a number of pixels from 0 up, not {value}.", name=name, value=value)
    return float(value)


def _given(rect: Rect | None, bounds: Rect | None, canvas: Size) -> Rect:
    if rect is None:
        raise ContextInvalid("The context should be a given rectangle, but none was given; draw one, or choose auto.")
    check_context(canvas, rect)
    if bounds is not None and not rect.contains(bounds):
        raise ContextInvalid(
            "The context does not hold the whole selection, so a part would stay as it is; draw it larger."
        )
    return rect


def _with_room(bounds: Rect, room: int, canvas: Size, max_aspect: float) -> Rect:
    """The bounds with room around them, no more oblong than `max_aspect` where the canvas allows."""
    width, height = bounds.width + 2 * room, bounds.height + 2 * room
    width = min(width, canvas.width)
    height = min(height, canvas.height)
    width = min(max(width, math.ceil(height / max_aspect)), canvas.width)
    height = min(max(height, math.ceil(width / max_aspect)), canvas.height)
    return Rect(
        _centred(bounds.x, bounds.width, width, canvas.width),
        _centred(bounds.y, bounds.height, height, canvas.height),
        width,
        height,
    )


def _aligned(context: Rect, changing: Rect, canvas: Size, multiple: int) -> Rect:
    """The context with sides of multiples of `multiple`, which holds all that is `changing`.

    Sides grow; where the canvas has no room for that they shrink. Those that can do neither are all of the canvas.
    """

    def side(start: int, length: int, first: int, needed: int, limit: int) -> tuple[int, int]:
        wanted = -(-length // multiple) * multiple
        if wanted > limit:
            wanted = limit // multiple * multiple
            if wanted < needed:
                return 0, limit
        at = _centred(start, length, wanted, limit)
        return min(max(at, first + needed - wanted), first), wanted

    x, width = side(context.x, context.width, changing.x, changing.width, canvas.width)
    y, height = side(context.y, context.height, changing.y, changing.height, canvas.height)
    return Rect(x, y, width, height)


def _centred(start: int, length: int, wanted: int, limit: int) -> int:
    """Where `wanted` pixels around start..start + length begin, moved inward to lie within 0..limit."""
    return min(max(0, start - (wanted - length) // 2), limit - wanted)
