"""What a script asks for in one call, a whole picture and a mask, as ``plan`` and ``submit`` want it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from ..control_kinds import CONTROL_KINDS
from ..protocol.errors import BridgeError
from ..protocol.messages import (
    ContextChoice,
    Depth,
    Document,
    Extent,
    OnDisconnect,
    Planned,
    Progress,
    Rect,
    ResultFormat,
)
from .job import ConditionPixels, JobUpdate, RegionPixels
from .options import JobOptions
from .pictures import Plane, read_mask, read_picture

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["JobRequest", "PaintingOptions", "ProgressCallback", "progress_only"]

ProgressCallback = Callable[[Progress], None]


class PaintingOptions(JobOptions, total=False):
    """What may be asked besides: a job's settings by their names, the ``context`` of ``plan``, ``on_disconnect``, and
    the ``document`` that the result is kept with. The pictures and masks of ``conditions`` and ``regions`` have the
    picture's size, and are given as it is.
    """

    context: ContextChoice
    on_disconnect: Union[OnDisconnect, str]
    document: Document


@dataclass(frozen=True)
class JobRequest:
    """One job, with all of its pixels. ``settings`` are by their names; the pictures in them are planes."""

    canvas: Extent
    picture: Optional[Plane]
    mask: Optional[Plane]
    conditions: Sequence[ConditionPixels]
    regions: Sequence[RegionPixels]
    context: Optional[ContextChoice]
    on_disconnect: str
    document: Optional[Document]
    settings: dict[str, Any]

    @classmethod
    def of(
        cls, kind: str, image: Any, mask: Any = None, *, scale: int = 1, **options: Unpack[PaintingOptions]
    ) -> JobRequest:
        """Read what a script holds. ``image``: Pillow's or NumPy's; with ``generate`` its width and height. A script
        that has gone waits for no result.

        Raises:
            TypeError: pictures that cannot be read.
            BridgeError: ``empty_selection``; ``picture_mismatch`` for a mask or a condition of another size.
        """
        settings: dict[str, Any] = {**options, "kind": kind, "scale": scale}
        conditions, regions = settings.pop("conditions", ()), settings.pop("regions", ())
        context, on_disconnect = settings.pop("context", None), settings.pop("on_disconnect", OnDisconnect.CANCEL)
        document = settings.pop("document", None)
        if kind == "generate":
            picture, coverage, canvas = None, None, Extent(*image)
        else:
            picture = read_picture(image)
            coverage = None if mask is None else read_mask(mask, picture)
            canvas = Extent(picture.width, picture.height)
        if coverage is not None and coverage.bounds() is None:
            raise BridgeError("empty_selection", *coverage.why_empty())
        guides = [_read_condition(condition, canvas) for condition in conditions]
        places = [replace(one, mask=read_mask(one.mask, canvas)) for one in regions]
        return cls(canvas, picture, coverage, guides, places, context, on_disconnect, document, settings)

    def planning(self) -> dict[str, Any]:
        """The arguments of :meth:`.bridge.Bridge.plan`."""
        selection = None if self.mask is None else self.mask.bounds()
        return {"canvas": self.canvas, "selection": selection, "context": self.context, **self.settings}

    def sending(self, planned: Planned) -> dict[str, Any]:
        """The arguments of :meth:`.bridge.Bridge.submit`."""
        context = planned.context
        return {
            "canvas": self.canvas,
            "context": context,
            "picture": None if self.picture is None else self.picture.cut(context),
            "selection": None if self.mask is None else self.mask.cut(context),
            "conditions": [_cut_condition(condition, context) for condition in self.conditions],
            "regions": [replace(one, mask=one.mask.cut(context)) for one in self.regions],
            "result": None if self.picture is None else ResultFormat(Depth(self.picture.depth)),
            "on_disconnect": self.on_disconnect,
            "document": self.document,
            **self.settings,
        }


def progress_only(callback: Optional[ProgressCallback]) -> Optional[Callable[[JobUpdate], None]]:
    """What hears all of a job's events, and passes on how far it is."""
    if callback is None:
        return None

    def hear(update: JobUpdate) -> None:
        if isinstance(update, Progress):
            callback(update)

    return hear


def _read_condition(condition: ConditionPixels, canvas: Extent) -> ConditionPixels:
    picture = read_picture(condition.picture)
    if _is_map(condition) and (picture.width, picture.height) != (canvas.width, canvas.height):
        raise BridgeError(
            "picture_mismatch",
            "The condition has {width} x {height} pixels, the picture {canvas_width} x {canvas_height}.",
            "Give a condition of the picture's size.",
            width=picture.width,
            height=picture.height,
            canvas_width=canvas.width,
            canvas_height=canvas.height,
        )
    mask = None if condition.mask is None else read_mask(condition.mask, canvas)
    return replace(condition, picture=picture, mask=mask)


def _cut_condition(condition: ConditionPixels, context: Rect) -> ConditionPixels:
    mask = None if condition.mask is None else condition.mask.cut(context)
    picture = condition.picture
    whole = Rect(0, 0, picture.width, picture.height)
    return replace(condition, picture=picture.cut(context if _is_map(condition) else whole), mask=mask)


def _is_map(condition: ConditionPixels) -> bool:
    """Whether its picture has the size of the one that it guides. Kinds that there are not are left to the bridge."""
    return condition.kind not in CONTROL_KINDS or CONTROL_KINDS[condition.kind].is_map
