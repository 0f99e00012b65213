"""Which model a fill is painted with: the checkpoint, or what its base's inpainting checkpoint makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from ..diffusion.inpaint_difference import distance_between
from ..errors import Sentence
from ..models import Checkpoint
from ..models.checkpoint import FillMethod
from ..models.controlnets import WITHOUT
from ..models.inpaint_difference import FARTHEST, find_difference, known_distance, remember_distance
from ..models.parts import Part
from ..protocol.messages import JobKind, JobSettings

__all__ = ["about_missing_controlnet", "filling_checkpoint", "wants_controlnet"]


def filling_checkpoint(
    settings: JobSettings,
    checkpoint: Checkpoint,
    others: Callable[[], Iterable[Checkpoint]],
    *,
    check: Callable[[], None],
) -> tuple[Checkpoint, tuple[str, ...]]:
    """The checkpoint that the job is painted with, and hints. ``others`` are all that are on the machine.

    For a fill it is given the weights of its base's inpainting checkpoint, by a difference, where these are here and
    it is near enough to that base; not where the job names a ControlNet for inpainting, or where checkpoints.toml says
    otherwise. ``check`` may raise to end the reading.
    """
    named = settings.conditioning.inpaint_controlnet
    if settings.kind != JobKind.FILL or checkpoint.inpaint or named not in (None, WITHOUT):
        return checkpoint, ()
    if checkpoint.fills_by not in (None, FillMethod.DIFFERENCE):
        return checkpoint, ()
    difference = find_difference(checkpoint, others(), check=check)
    if difference is None:
        return checkpoint, (_about_absence(checkpoint),) if checkpoint.fills_by else ()
    if checkpoint.fills_by is None:
        distance = _distance(checkpoint.part(checkpoint.family.denoiser), difference.base, check)
        if distance > FARTHEST:
            return checkpoint, (_about_distance(checkpoint, distance),)
    return replace(checkpoint, inpaint=True, difference=difference), ()


def wants_controlnet(settings: JobSettings, checkpoint: Checkpoint) -> bool:
    """Whether checkpoints.toml says that a ControlNet is to guide this fill, and the job does not say otherwise."""
    said = settings.conditioning.inpaint_controlnet
    return settings.kind == JobKind.FILL and said is None and checkpoint.fills_by is FillMethod.CONTROLNET


def about_missing_controlnet(checkpoint: Checkpoint) -> str:
    """A hint where no such ControlNet is here."""
    return Sentence(
        '{id} is to fill by a ControlNet (`inpainting = "controlnet"`), but none for inpainting is here that fits it, '
        "so it fills without one. docs/conditions.md names some.",
        id=checkpoint.id,
    )


def _distance(child: Part, base: Part, check: Callable[[], None]) -> float:
    hashes = child.content_hash(check=check), base.content_hash(check=check)
    known = known_distance(*hashes)
    if known is None:
        known = distance_between(child, base, check=check)
        remember_distance(*hashes, known)
    return known


def _about_absence(checkpoint: Checkpoint) -> str:
    return Sentence(
        '{id} is to fill by a difference (`inpainting = "difference"`), but there is none for it: '
        "{title}'s base and the inpainting checkpoint of that must be here, and it must predict noise, as they do.",
        id=checkpoint.id,
        title=checkpoint.family.title,
    )


def _about_distance(checkpoint: Checkpoint, distance: float) -> str:
    return Sentence(
        "{id} is too far from {title}'s base for its inpainting weights ({distance}, where {farthest} is the most), so "
        'it fills without them. `inpainting = "blend"` in checkpoints.toml says so for good.',
        id=checkpoint.id,
        title=checkpoint.family.title,
        distance=f"{distance:.2f}",
        farthest=f"{FARTHEST:g}",
    )
