"""A job's conditions, each with its ControlNet, as the painter and the recipe have them. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..models import Checkpoint, ControlNetRegistry
from ..painter import Condition
from ..protocol import messages as wire
from .inputs import Inputs

__all__ = ["controlnet_hashes", "read_conditions", "resolved_conditions"]


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
            guide=controlnets.choose(one.kind, checkpoint, one.controlnet),
            mask=mask,
            strength=one.strength,
            start=one.start,
            end=one.end,
        )
        for one, (picture, mask) in zip(said, inputs.conditions, strict=True)
    )


def resolved_conditions(said: Sequence[wire.Condition], used: Sequence[Condition]) -> tuple[wire.Condition, ...]:
    """The conditions as a recipe has them: each with the ControlNet that was chosen for it."""
    return tuple(replace(one, controlnet=condition.guide.id) for one, condition in zip(said, used, strict=True))


def controlnet_hashes(used: Sequence[Condition], *, check: Callable[[], None]) -> tuple[str, ...]:
    """SHA-256 of the weights of each condition's ControlNet."""
    return tuple(one.guide.content(check) for one in used)
