"""The form of a job: the settings that clients, queue, engine and painter share.

A field of :class:`JobSettings` or of one of its groups is declared here and nowhere else: the decoder, the JSON Schema,
the command line's flags, the Python client's keywords, the page's and the plug-ins' forms are made from it, and the
painter gets the groups as they are. Runs on Python 3.9, on the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache
from typing import Any, Optional

from .fields import FieldSpec, StrEnum, described, field_specs
from .parts import Depth, Encoding, Picture, Rect

__all__ = [
    "MODES",
    "SCALES",
    "STRENGTHS",
    "Condition",
    "Conditioning",
    "ContextChoice",
    "ContextKind",
    "Edges",
    "Estimation",
    "JobField",
    "JobKind",
    "JobSettings",
    "Mode",
    "OnDisconnect",
    "ReferenceRole",
    "Region",
    "ResultFormat",
    "Sampling",
    "Stage",
    "flat_settings",
    "job_fields",
    "job_settings",
]


class JobKind(StrEnum):
    """What a job is."""

    FILL = "fill"
    REFINE = "refine"
    GENERATE = "generate"
    UPSCALE = "upscale"
    ESTIMATE = "estimate"


class Mode(StrEnum):
    """What a job does with the selection. ``auto`` comes to another one, which recipes name."""

    AUTO = "auto"
    FILL = "fill"
    EXPAND = "expand"
    ADD = "add"
    REMOVE = "remove"
    BACKGROUND = "background"
    REFINE = "refine"
    GENERATE = "generate"
    UPSCALE = "upscale"
    ESTIMATE = "estimate"


class Stage(StrEnum):
    """What is being done for a job."""

    LOAD = "load"
    INFILL = "infill"
    ENCODE = "encode"
    DENOISE = "denoise"
    DECODE = "decode"
    COMPOSE = "compose"
    LEARN = "learn"
    ESTIMATE = "estimate"


class ContextKind(StrEnum):
    """How the context is chosen."""

    AUTO = "auto"
    SELECTION = "selection"
    CANVAS = "canvas"
    RECT = "rect"


class ReferenceRole(StrEnum):
    """What of a reference is painted."""

    SUBJECT = "subject"
    STYLE = "style"
    LAYOUT = "layout"


class OnDisconnect(StrEnum):
    """What becomes of a job when the connection is lost."""

    CANCEL = "cancel"
    KEEP = "keep"


MODES: dict[str, tuple[Mode, ...]] = {
    JobKind.FILL: (Mode.AUTO, Mode.FILL, Mode.EXPAND, Mode.ADD, Mode.REMOVE, Mode.BACKGROUND),
    JobKind.REFINE: (Mode.AUTO, Mode.REFINE),
    JobKind.GENERATE: (Mode.AUTO, Mode.GENERATE),
    JobKind.UPSCALE: (Mode.AUTO, Mode.UPSCALE),
    JobKind.ESTIMATE: (Mode.AUTO, Mode.ESTIMATE),
}
"""The modes of each kind of job. Where there is but one, `auto` comes to it, and recipes name it."""
SCALES = (2, 4)
"""How many times an `upscale` enlarges."""
STRENGTHS: dict[str, float] = {JobKind.UPSCALE: 0.3}
"""The strength that suits a kind of job; 1 where it is not named."""

_MAX_SEED = (1 << 64) - 1
# What paints at the canvas's own density, and all that denoises.
_PAINTED = (JobKind.FILL, JobKind.REFINE, JobKind.GENERATE)
_DENOISED = (*_PAINTED, JobKind.UPSCALE)


@dataclass(frozen=True)
class ContextChoice:
    """How much of the canvas the model gets to see."""

    kind: ContextKind = described("How the context is chosen.", ContextKind.AUTO)
    rect: Optional[Rect] = described("The rectangle, with kind rect only.", None)


@dataclass(frozen=True)
class Condition:
    """Guidance by another picture. The welcome says which kinds each checkpoint takes.

    `scribble`, `line_art`, `soft_edge` and `canny` are lines, of 1, 3 or 4 channels. One channel is lines as coverage.
    Of four, where any pixel is transparent, the alpha is the lines, whatever their colour; otherwise lines are dark on
    a light ground, or light on a dark one. `depth` has 1, 3 or 4 channels, white is nearest. The others have 3 or 4:
    `normal`, where surfaces face (red: left, green: up, blue: towards us); `pose`, OpenPose's skeletons on black or on
    nothing; `label_map`, areas in the colours of ADE20K's things; `blur`, the picture out of focus. A `reference`
    is another picture, of 3 or 4 channels, whose subject, style or layout is painted. docs/conditions.md tells more.
    Any other kind is refused as `unsupported_condition`.
    """

    kind: str = described("What the picture says.", min=1, max=32)
    picture: Picture = described("The picture, of the context's size; a reference is of any size.")
    mask: Optional[Picture] = described("Where it counts, and how much, one channel; none: everywhere.", None)
    strength: float = described("Its weight; 0: it does not count.", 1.0, min=0.0, max=2.0)
    start: float = described(
        "It counts in steps that begin at this share of the denoising or later.", 0.0, min=0.0, max=1.0
    )
    end: float = described(
        "It counts in steps that end at this share of the denoising or before.", 1.0, min=0.0, max=1.0
    )
    controlnet: Optional[str] = described(
        "Which ControlNet or IP-Adapter takes it; none: the bridge's choice for the kind.", None, max=256
    )
    role: Optional[ReferenceRole] = described(
        "What of a reference is painted; none: its subject. With kind reference only.", None
    )
    name: Optional[str] = described(
        "What prompts call a reference by: `<layer:NAME>`. With kind reference only.", None, max=64
    )


@dataclass(frozen=True)
class Region:
    """A prompt that counts within a mask. Regions are from the lowest to the uppermost: where several are, the upper
    one counts, and the job's own prompt counts where there is none. A region that is nowhere in what is repainted does
    not count. Its prompt names no LoRA, since a LoRA counts for the whole picture.
    """

    prompt: str = described("What is wanted there, in the words of a prompt.", max=8192)
    mask: Picture = described("Where, and how much: one channel, of the context's size.")
    negative_prompt: Optional[str] = described(
        "What is not wanted there; none: what is not wanted elsewhere.", None, max=8192
    )


@dataclass(frozen=True)
class Conditioning:
    """What the picture should show."""

    prompt: str = described(
        "What is wanted; docs/prompts.md tells of weights, choices, wildcards and LoRAs.", "", max=8192, kinds=_DENOISED
    )
    negative_prompt: str = described("What is not wanted.", "", max=8192, kinds=_DENOISED)
    conditions: tuple[Condition, ...] = described("Guidance by other pictures.", (), max=16, kinds=_DENOISED)
    regions: tuple[Region, ...] = described(
        "Prompts for parts of the picture, from the lowest to the uppermost; from five on it takes much longer.",
        (),
        max=16,
        kinds=_DENOISED,
    )
    inpaint_controlnet: Optional[str] = described(
        "The ControlNet that is shown what is painted on, for checkpoints that are not shown it themselves, by its "
        "name; none: the first one that fits; `off`: without.",
        None,
        max=256,
        kinds=(JobKind.FILL,),
    )


@dataclass(frozen=True)
class Sampling:
    """How the pictures are denoised. In a recipe all of it is resolved, for one picture."""

    strength: Optional[float] = described(
        "1: repaint freely; less: keep more of what is there. None: what suits the kind, which is "
        f"{STRENGTHS[JobKind.UPSCALE]:g} with `upscale` and 1 with any other.",
        None,
        min=0.01,
        max=1.0,
        kinds=(JobKind.FILL, JobKind.REFINE, JobKind.UPSCALE),
    )
    seed: Optional[int] = described(
        "Seed of the first picture; the others count up, and from the largest on to 0. None: the bridge draws one.",
        None,
        min=0,
        max=_MAX_SEED,
    )
    batch: int = described("How many pictures.", 1, min=1, max=64, kinds=_DENOISED)
    steps: Optional[int] = described(
        "Denoising steps; none: what suits the checkpoint, and in a recipe: nothing was denoised.",
        None,
        min=1,
        max=1000,
        kinds=_DENOISED,
    )
    guidance: Optional[float] = described(
        "Guidance scale; none: what suits the checkpoint.", None, min=0.0, max=100.0, kinds=_DENOISED
    )
    sampler: Optional[str] = described("Sampler; none: what suits the checkpoint.", None, max=64, kinds=_DENOISED)
    fast: bool = described(
        "Compute most steps in part only, with what steps before them have computed: faster, and nearly the same "
        "picture. Fewer than 8 steps are all computed whole.",
        False,
        kinds=_DENOISED,
    )


@dataclass(frozen=True)
class Edges:
    """How the selection's edge is treated."""

    grow: Optional[float] = described(
        "Pixels to grow the selection by; none: the bridge's choice.", None, min=0.0, max=4096.0, kinds=_PAINTED
    )
    feather: Optional[float] = described(
        "Pixels of feather; none: the bridge's choice.", None, min=0.0, max=4096.0, kinds=_PAINTED
    )
    strict: bool = described("Keep alpha at 0 wherever the selection is 0.", False, kinds=_PAINTED)


@dataclass(frozen=True)
class Estimation:
    """Which map is made of the picture, for use as a condition."""

    control_kind: str = described(
        "The kind of condition that the map is.", "canny", min=1, max=32, kinds=(JobKind.ESTIMATE,)
    )
    estimator: Optional[str] = described(
        "The network that estimates it, by its name; none: the bridge's choice. Canny edges, line drawings, scribbles "
        "and blurred pictures need none.",
        None,
        max=256,
        kinds=(JobKind.ESTIMATE,),
    )
    weak_edge: float = described(
        "Canny edges: contrasts below this are none, those between this and `strong_edge` go on from a strong one.",
        100.0,
        min=0.0,
        max=1000.0,
        kinds=(JobKind.ESTIMATE,),
    )
    strong_edge: float = described(
        "Canny edges: contrasts above this are edges.", 200.0, min=0.0, max=1000.0, kinds=(JobKind.ESTIMATE,)
    )
    detail_size: Optional[float] = described(
        "Blurred pictures: detail smaller than so many pixels is lost; line drawings and scribbles: the width of their "
        "lines. None: what suits the picture's size.",
        None,
        min=0.5,
        max=512.0,
        kinds=(JobKind.ESTIMATE,),
    )


@dataclass(frozen=True)
class JobSettings:
    """What is asked of a job, whatever the pictures."""

    kind: JobKind = described("Job kind.", JobKind.FILL)
    mode: Mode = described("Mode of that kind.", Mode.AUTO)
    scale: int = described(
        "Times that the context is enlarged: 2 or 4 with `upscale`, 1 with any other kind.",
        1,
        min=1,
        max=4,
        kinds=(JobKind.UPSCALE,),
    )
    checkpoint: Optional[str] = described("Checkpoint; none: the bridge's default.", None, max=256, kinds=_DENOISED)
    conditioning: Conditioning = described("What the picture should show. A `plan` needs none of it.", Conditioning())
    sampling: Sampling = described("How it is denoised. A `plan` needs none of it.", Sampling())
    edges: Edges = described("How the selection's edge is treated.", Edges())
    estimation: Estimation = described("Which map an `estimate` makes.", Estimation())


@dataclass(frozen=True)
class ResultFormat:
    """How the layers are wanted."""

    depth: Depth = described("Type of one channel value.", Depth.U8)
    encoding: Encoding = described("How the pixels are packed; png takes u8 and u16, webp u8 only.", Encoding.RAW)
    previews: bool = described("Send previews.", True)


# ---------------------------------------------------------------- settings by their fields' names


@dataclass(frozen=True)
class JobField:
    """A field of a job's settings. ``group`` is the field of :class:`JobSettings` that holds it; None: it stands there
    itself.
    """

    group: Optional[str]
    spec: FieldSpec

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def title(self) -> str:
        """Its name as a label, for forms that have no words of their own for it."""
        return self.name.replace("_", " ").capitalize()

    @property
    def with_pictures(self) -> bool:
        """Whether it is a list of things with pictures of their own: no plain widget holds it, and no plan needs it."""
        return not isinstance(self.spec.core, type)

    def counts_for(self, kind: str) -> bool:
        """Whether it has an effect on jobs of a kind."""
        return kind in self.spec.metadata.get("kinds", tuple(JobKind))


@cache
def job_fields() -> dict[str, JobField]:
    """All fields of a job's settings by their names, which are unique across the groups."""
    found: dict[str, JobField] = {}
    for spec in field_specs(JobSettings):
        grouped = is_dataclass(spec.kind)
        for one in field_specs(spec.kind) if grouped else (spec,):
            found[one.name] = JobField(spec.name if grouped else None, one)
    return found


def job_settings(values: Mapping[str, Any]) -> JobSettings:
    """Settings from their fields' names; a field that is not named holds its default.

    Raises:
        TypeError: a field that there is not.
    """
    known = job_fields()
    unknown = sorted(values.keys() - known.keys())
    if unknown:
        raise TypeError(f"There is no option {unknown[0]!r}; there are {', '.join(known)}.")
    groups: dict[Optional[str], dict[str, Any]] = {}
    for name, value in values.items():
        groups.setdefault(known[name].group, {})[name] = value
    settings: dict[str, Any] = groups.pop(None, {})
    for spec in field_specs(JobSettings):
        if spec.name in groups:
            settings[spec.name] = spec.kind(**groups[spec.name])
    return JobSettings(**settings)


def flat_settings(settings: JobSettings) -> dict[str, Any]:
    """All values by their fields' names."""
    return {
        name: getattr(settings if field.group is None else getattr(settings, field.group), name)
        for name, field in job_fields().items()
    }
