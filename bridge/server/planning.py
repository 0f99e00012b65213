"""What a job would see: the answer to a plan, by the facts of its checkpoint. No pixels, no model, no disk."""

from __future__ import annotations

from typing import Any

from ..canvas.context import plan as plan_context
from ..canvas.errors import CanvasError
from ..canvas.geometry import Rect as CanvasRect
from ..canvas.geometry import Size
from ..engine.inventory import CheckpointEntry
from ..protocol.errors import BridgeError
from ..protocol.messages import MODES, Mode, Plan, Planned, Rect
from .pictures import check_pixels

__all__ = ["plan_job"]


def plan_job(request: Plan, checkpoint: CheckpointEntry | None, *, most_pixels: int) -> Planned:
    """Answer a plan. ``checkpoint`` None: none takes part.

    Raises:
        BridgeError: ``unsupported_mode``, ``empty_selection``, ``bad_context``, ``picture_too_large``.
    """
    settings = request.settings
    if settings.mode not in MODES[settings.kind]:
        raise BridgeError("unsupported_mode")
    try:
        planned = plan_context(
            Size(request.canvas.width, request.canvas.height),
            _canvas_rect(request.selection),
            kind=settings.kind,
            mode=settings.mode,
            choice=request.context.kind,
            rect=_canvas_rect(request.context.rect),
            grow=settings.edges.grow,
            feather=settings.edges.feather,
            scale=settings.scale,
            **_painted_by(checkpoint),
        )
    except CanvasError as error:
        raise BridgeError(error.code, error.message, error.hint) from None
    context = planned.context
    check_pixels(context.width, context.height, scale=settings.scale, most_pixels=most_pixels)
    return Planned(
        request.request,
        Rect(context.x, context.y, context.width, context.height),
        Mode(planned.mode),
        planned.grow,
        planned.feather,
        planned.reach,
        planned.model_size.width,
        planned.model_size.height,
    )


def _painted_by(checkpoint: CheckpointEntry | None) -> dict[str, Any]:
    if checkpoint is None:
        return {"native_pixels": 1}
    return {
        "native_pixels": checkpoint.native_pixels,
        "multiple": checkpoint.family.multiple,
        "native_range": checkpoint.native_range,
    }


def _canvas_rect(rect: Rect | None) -> CanvasRect | None:
    return None if rect is None else CanvasRect(rect.x, rect.y, rect.width, rect.height)
