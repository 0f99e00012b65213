"""A job's conditions, each with its ControlNet, as the painter and the recipe have them. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..models import Checkpoint, ControlNetRegistry
from ..models.checkpoint import FillMethod
from ..models.controlnets import WITHOUT
from ..painter import Condition, InpaintingGuide, Request
from ..protocol import messages as wire
from .inputs import Inputs

__all__ = ["controlnet_hashes", "read_conditions", "read_inpainting", "resolved_conditioning"]


def read_conditions(
    said: Sequence[wire.Condition], inputs: Inputs, controlnets: ControlNetRegistry, checkpoint: Checkpoint
) -> tuple[Condition, ...]:
    """The conditions as the painter takes them.

    Raises:
        ConditionUnsupported: there is no ControlNet for one of them.
    """
    return tuple(
        Condition(
            kind=one.kind,
            picture=picture,
            guide=controlnets.choose(one.kind, checkpoint, one.controlnet, role=one.role),
            mask=mask,
            strength=one.strength,
            start=one.start,
            end=one.end,
            role=one.role or wire.ReferenceRole.SUBJECT,
            name=one.name,
        )
        for one, (picture, mask) in zip(said, inputs.conditions, strict=True)
    )


def read_inpainting(
    settings: wire.JobSettings, controlnets: ControlNetRegistry, checkpoint: Checkpoint
) -> InpaintingGuide | None:
    """The ControlNet that guides a fill with the checkpoint; None: it does without, or the job is none.

    Raises:
        ConditionUnsupported: there is none of the name that the job says, or it does not fit.
    """
    if settings.kind != wire.JobKind.FILL:
        return None
    named = settings.conditioning.inpaint_controlnet
    if named is None and checkpoint.fills_by is FillMethod.BLEND:
        return None
    net = controlnets.choose_inpainting(checkpoint, named)
    if net is None or net.inpainting is None:
        return None
    return InpaintingGuide(net, net.inpainting.strength, net.inpainting.start, net.inpainting.end)


def resolved_conditioning(settings: wire.JobSettings, request: Request) -> wire.Conditioning:
    """What guides, as a recipe has it: each condition with its ControlNet, and the fill's own."""
    said = settings.conditioning
    conditions = tuple(
        replace(one, controlnet=None if condition.guide is None else condition.guide.id)
        for one, condition in zip(said.conditions, request.conditions, strict=True)
    )
    if settings.kind != wire.JobKind.FILL:
        return replace(said, conditions=conditions)
    inpainting = WITHOUT if request.inpainting is None else request.inpainting.guide.id
    return replace(said, conditions=conditions, inpaint_controlnet=inpainting)


def controlnet_hashes(used: Sequence[Condition], *, check: Callable[[], None]) -> tuple[str, ...]:
    """SHA-256 of the weights of what takes each condition; empty: the checkpoint does."""
    return tuple("" if one.guide is None else one.guide.content(check) for one in used)
