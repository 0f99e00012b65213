"""What a script asks for in one call, a whole picture and a mask, as ``plan`` and ``submit`` want it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Optional, TypedDict

from ..protocol.errors import BridgeError
from ..protocol.messages import ContextChoice, Extent, Planned, Progress, ResultFormat
from .job import JobUpdate
from .pictures import Plane, read_mask, read_picture

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["ProgressCallback", "Wish", "WishOptions", "progress_only"]

ProgressCallback = Callable[[Progress], None]

# Of what may be asked, this goes into `plan` too.
_PLANNED = ("mode", "checkpoint", "grow", "feather")


class WishOptions(TypedDict, total=False):
    """What may be asked besides, each as in :class:`~..protocol.messages.Submit`. ``context`` is that of ``plan``."""

    mode: str
    prompt: str
    negative_prompt: str
    strength: float
    seed: int
    batch: int
    steps: int
    guidance: float
    sampler: str
    checkpoint: str
    grow: float
    feather: float
    strict: bool
    context: ContextChoice
    on_disconnect: str


@dataclass(frozen=True)
class Wish:
    """One job, with all of its pixels."""

    kind: str
    canvas: Extent
    scale: int
    picture: Optional[Plane]
    mask: Optional[Plane]
    options: WishOptions

    @classmethod
    def of(cls, kind: str, image: Any, mask: Any = None, *, scale: int = 1, **options: Unpack[WishOptions]) -> Wish:
        """Read what a script holds. ``image``: Pillow's or NumPy's; with ``generate`` its width and height.

        Raises:
            TypeError: an option that there is not; pictures that cannot be read.
            BridgeError: ``empty_selection``; ``picture_mismatch`` for a mask of another size.
        """
        unknown = sorted(options.keys() - WishOptions.__annotations__.keys())
        if unknown:
            raise TypeError(f"There is no option {unknown[0]!r}; there are {', '.join(WishOptions.__annotations__)}.")
        if kind == "generate":
            width, height = image
            return cls(kind, Extent(width, height), scale, None, None, options)
        picture = read_picture(image)
        coverage = None if mask is None else read_mask(mask, picture)
        if coverage is not None and coverage.bounds() is None:
            raise BridgeError("empty_selection", *coverage.why_empty())
        return cls(kind, Extent(picture.width, picture.height), scale, picture, coverage, options)

    def planning(self) -> dict[str, Any]:
        """The arguments of :meth:`.bridge.Bridge.plan`."""
        options: dict[str, Any] = dict(self.options)
        return {
            "kind": self.kind,
            "canvas": self.canvas,
            "scale": self.scale,
            "selection": None if self.mask is None else self.mask.bounds(),
            "context": options.get("context"),
            **{name: options[name] for name in _PLANNED if name in options},
        }

    def sending(self, planned: Planned) -> dict[str, Any]:
        """The arguments of :meth:`.bridge.Bridge.submit`. A script that has gone waits for no result."""
        context = planned.context
        options: dict[str, Any] = {"on_disconnect": "cancel", **self.options, "context": context}
        return {
            "kind": self.kind,
            "canvas": self.canvas,
            "scale": self.scale,
            "picture": None if self.picture is None else self.picture.cut(context),
            "selection": None if self.mask is None else self.mask.cut(context),
            "result": None if self.picture is None else ResultFormat(self.picture.depth),
            **options,
        }


def progress_only(callback: Optional[ProgressCallback]) -> Optional[Callable[[JobUpdate], None]]:
    """What hears all of a job's events, and passes on how far it is."""
    if callback is None:
        return None

    def hear(update: JobUpdate) -> None:
        if isinstance(update, Progress):
            callback(update)

    return hear
