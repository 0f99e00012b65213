"""A job's conditions: the ControlNets that hear them, chosen, and what its recipe says of them. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..models import Checkpoint, ControlNetRegistry
from ..painter import Condition
from ..protocol.messages import ConditionUse, Submit
from .inputs import Inputs

__all__ = ["read_conditions", "used_conditions"]


def read_conditions(
    submit: Submit, inputs: Inputs, controlnets: ControlNetRegistry, checkpoint: Checkpoint
) -> tuple[Condition, ...]:
    """The conditions as the painter takes them.

    Raises:
        ConditionUnsupported: there is no ControlNet for one of them.
    """
    return tuple(
        Condition(
            kind=said.kind,
            picture=guidance.picture,
            guide=controlnets.choose(said.kind, checkpoint, said.controlnet),
            mask=guidance.mask,
            strength=said.strength,
            start=said.start,
            end=said.end,
        )
        for said, guidance in zip(submit.conditions, inputs.guidance, strict=True)
    )


def used_conditions(
    submit: Submit, conditions: Sequence[Condition], *, check: Callable[[], None]
) -> tuple[ConditionUse, ...]:
    """What a recipe says of them."""
    return tuple(
        ConditionUse(
            kind=said.kind,
            picture_hash=said.picture.hash,
            strength=said.strength,
            start=said.start,
            end=said.end,
            controlnet=used.guide.id,
            controlnet_hash=used.guide.content(check),
            mask_hash=None if said.mask is None else said.mask.hash,
        )
        for said, used in zip(submit.conditions, conditions, strict=True)
    )
