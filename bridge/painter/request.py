"""What the painter is asked, what it gives, and how it is listened to meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..canvas.composite import Layer
from ..canvas.errors import ValueOutOfRange
from ..canvas.geometry import Rect, Size
from ..diffusion import GuideFiles, LatentModel, Placement
from ..models import Checkpoint, ConditionUnsupported, control_kind
from ..models.samplers import check_sampler
from ..protocol.job import STRENGTHS, JobSettings, ReferenceRole
from .errors import PictureMissing

__all__ = [
    "Condition",
    "Hooks",
    "InpaintingGuide",
    "ModelSource",
    "PaintedLayer",
    "Painting",
    "Region",
    "Request",
    "Resolved",
    "check_request",
]


@dataclass(frozen=True)
class Condition:
    """Guidance by another picture, (h, w, c) float32 of the context's size; a reference is of any.

    `kind` is one of `bridge.models.CONTROL_KINDS`, which says what channels the picture may have. `guide` is what
    guides the model by it, on disk; None: the model itself takes it. `role` is what of a reference is painted, `name`
    what prompts call it by. `mask` is (h, w), where it counts. `start` and `end` are shares of the steps.
    """

    kind: str
    picture: np.ndarray
    guide: GuideFiles | None
    mask: np.ndarray | None = None
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    role: ReferenceRole = ReferenceRole.SUBJECT
    name: str | None = None


@dataclass(frozen=True)
class InpaintingGuide:
    """A guide that is shown what a fill paints on, and so tells a model without further channels what to repaint.

    `guide` is it, on disk; `start` and `end` are shares of the steps.
    """

    guide: GuideFiles
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0


@dataclass(frozen=True)
class Region:
    """Prompts that count where `mask` (h, w), 0..1, of the context's size says. As the job's own, they are what prompts
    come to for these pictures.
    """

    prompt: str
    negative_prompt: str
    mask: np.ndarray


@dataclass(frozen=True)
class Request:
    """One job.

    `settings` has in place of the prompts what they come to for these pictures; its seed, batch and conditions are not
    looked at. `picture` is the context's pixels, (h, w, 4) float32, sRGB-encoded, straight alpha,
    nominally 0..1; only generate does without. `selection` is (h, w), coverage 0..1; None: all of the context. `seeds`
    has one of 0..2**64-1 for each picture wanted. Without `previews` none are made. `inpainting` guides fills alone.
    `regions` are from the lowest to the uppermost, which counts where several are; the settings' are not looked at.
    """

    settings: JobSettings
    canvas: Size
    context: Rect
    picture: np.ndarray | None
    selection: np.ndarray | None
    seeds: tuple[int, ...] = (0,)
    conditions: tuple[Condition, ...] = ()
    inpainting: InpaintingGuide | None = None
    previews: bool = True
    regions: tuple[Region, ...] = ()

    @property
    def prompts(self) -> tuple[str, ...]:
        """All that is asked for: the job's prompt, then the regions'."""
        return (self.settings.conditioning.prompt, *(region.prompt for region in self.regions))

    @property
    def guides(self) -> tuple[GuideFiles, ...]:
        """All that guide it, each once."""
        inpainting = () if self.inpainting is None else (self.inpainting.guide,)
        return tuple(dict.fromkeys((*(one.guide for one in self.conditions if one.guide is not None), *inpainting)))

    @property
    def strength(self) -> float:
        """The settings' strength, or what suits the kind of job."""
        said = self.settings.sampling.strength
        return STRENGTHS.get(self.settings.kind, 1.0) if said is None else said


@dataclass(frozen=True)
class Resolved:
    """What pictures were made with: the job's settings without anything left open, but for the seed; the size at which
    the model painted, None where nothing was denoised (`steps` is None then); and whether it denoised them together.
    """

    job: JobSettings
    model_size: Size | None
    batched: bool


@dataclass(frozen=True)
class PaintedLayer:
    """One picture, and what it was made with. `people` are those of a map of poses: joints on the canvas by name."""

    layer: Layer
    seed: int
    settings: Resolved
    people: tuple[Mapping[str, tuple[float, float]], ...] = ()


@dataclass(frozen=True)
class Painting:
    """What a job gives: a layer for each seed, seconds by stage, and sentences that the artist should know."""

    layers: tuple[PaintedLayer, ...]
    timings: dict[str, float]
    hints: tuple[str, ...]


class Hooks(Protocol):
    """How a job is followed and ended. Called from the thread that paints."""

    def stage(self, name: str, step: int, steps: int) -> None:
        """`step` of `steps` are done of load, infill, encode, denoise, decode or compose."""

    def preview(self, rgb: np.ndarray, step: int) -> None:
        """A rough picture of the context so far, uint8 (h, w, 3), small, after that step of denoise."""

    def check(self) -> None:
        """Raises `Cancelled` when the job should end. Called before every step and between all stages."""


class ModelSource(Protocol):
    """A checkpoint that can be loaded when its weights are needed (`bridge.diffusion.OnDemand`)."""

    @property
    def checkpoint(self) -> Checkpoint:
        """What is known of it without loading."""

    @property
    def placement(self) -> Placement:
        """What of it is on the device when it is loaded."""

    def load(self, check: Callable[[], None], loaded: Callable[[int], None]) -> LatentModel:
        """The model in memory; `check` may raise to end the loading, `loaded` is told how many parts are there."""

    def guides(self, guides: Sequence[GuideFiles], check: Callable[[], None]) -> tuple[Any, ...]:
        """The networks of these guides in memory; `check` as above."""

    def evict_unused(self, guides: Sequence[GuideFiles]) -> None:
        """Lets go of all in memory but this model and these guides."""

    def offload(self) -> bool:
        """Has more of it wait outside the device when it is next loaded; False where that is not possible."""

    def full_precision(self) -> bool:
        """Has it computed in float32 when it is next loaded; False where it is so already."""


def check_request(request: Request, checkpoint: Checkpoint) -> None:
    """Holds a request against what the painter takes, before any work.

    Raises PictureMissing, SamplerUnsupported, ConditionUnsupported or ValueOutOfRange.
    """
    shape = (request.context.height, request.context.width)
    if request.picture is None and request.settings.kind != "generate":
        raise PictureMissing("The pixels around the selection are missing, so there is nothing to paint on.")
    if request.picture is not None and request.picture.shape != (*shape, 4):
        raise PictureMissing("The picture is not of the size that was planned.", hint="Plan the job again.")
    if any(region.mask.shape != shape for region in request.regions):
        raise PictureMissing("A region's mask is not of the size that was planned.", hint="Plan the job again.")
    if request.regions and not checkpoint.family.takes_regions:
        raise ConditionUnsupported(
            "{id} cannot be given prompts for regions.",
            hint="Leave the regions out, or choose another checkpoint.",
            id=checkpoint.id,
        )
    if request.selection is not None and request.selection.shape != shape:
        raise PictureMissing("The selection is not of the size that was planned.", hint="Plan the job again.")
    for condition in request.conditions:
        is_map = control_kind(condition.kind).is_map
        whole = condition.picture.shape[:2] == shape or not is_map
        if not whole or (condition.mask is not None and condition.mask.shape != shape):
            raise PictureMissing("A condition is not of the size that was planned.", hint="Plan the job again.")
        if condition.guide is None and condition.kind not in checkpoint.family.own_kinds:
            raise ConditionUnsupported(
                "{id} does not take a {kind} by itself.",
                hint="Leave it out, or choose another checkpoint.",
                id=checkpoint.id,
                kind=control_kind(condition.kind).title,
            )
    for guide in request.guides:
        guide.check_fits(checkpoint)
    if request.settings.sampling.sampler is not None:
        check_sampler(request.settings.sampling.sampler, checkpoint.family.schedule)
    ranges = (
        ("Strength", request.strength, 0.01, 1.0),
        ("Steps", request.settings.sampling.steps, 1, 1000),
        ("Guidance", request.settings.sampling.guidance, 0.0, 100.0),
        *(("A condition's strength", condition.strength, 0.0, 2.0) for condition in request.conditions),
        *(("A condition's start", condition.start, 0.0, condition.end) for condition in request.conditions),
        *(("A condition's end", condition.end, 0.0, 1.0) for condition in request.conditions),
        *(("A seed", seed, 0, 2**64 - 1) for seed in request.seeds),
    )
    for name, value, low, high in ranges:
        # Negated, so that what is not a number fails too.
        if value is not None and not low <= value <= high:
            raise ValueOutOfRange(
                "{name} must lie within {low}..{high}, not at {value}.", name=name, low=low, high=high, value=value
            )
    if not request.seeds:
        raise ValueOutOfRange("A job needs a seed for each picture; none was given.")
