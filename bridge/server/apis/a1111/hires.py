"""`enable_hr`: a second pass at a larger size. Here it is the bridge's own upscale, of each picture of the first."""

from __future__ import annotations

from dataclasses import dataclass

from ....protocol.messages import SCALES, Extent
from ..fields import MOST_SIDE, Fields
from .samplers import resolve_sampler

__all__ = ["FIELDS", "Hires", "read_hires", "scale_for"]

FIELDS = ("hr_scale", "hr_upscaler", "hr_second_pass_steps", "hr_resize_x", "hr_resize_y", "hr_prompt",
          "hr_negative_prompt", "hr_checkpoint_name", "hr_sampler_name", "hr_scheduler", "firstphase_width",
          "firstphase_height")  # fmt: skip
"""They say how, and `enable_hr` whether."""

_OURS = (None, "", "None", "Paintbridge")
# The first is what its clients say who offer a list.
_SAME = ("", "Use same checkpoint", "Use same sampler", "Use same scheduler")


@dataclass(frozen=True)
class Hires:
    """The second pass. Empty texts, and 0 steps: as in the first."""

    target: Extent
    prompt: str
    negative_prompt: str
    steps: int
    sampler: str
    checkpoint: str


def read_hires(fields: Fields, size: Extent) -> tuple[Extent, Hires]:
    """The size of the first pass, and the second. ``size`` is the request's own.

    Raises:
        BridgeError: ``unsupported_sampler``.
    """
    if fields.raw("hr_upscaler") not in _OURS:
        fields.ignore("hr_upscaler")
    older = Extent(fields.integer("firstphase_width", 0, 0, MOST_SIDE) or size.width,
                   fields.integer("firstphase_height", 0, 0, MOST_SIDE) or size.height)  # fmt: skip
    # Clients of its first releases name the size in the end, and that of the first pass beside it.
    first, target = (older, size) if older != size else (size, _target(fields, size))
    for name in ("hr_scale", "hr_resize_x", "hr_resize_y"):
        fields.raw(name)
    if max(target.width, target.height) > MOST_SIDE or scale_for(first, target) is None:
        fields.refuse("hr_scale", f"it must enlarge at most {max(SCALES)} times, and to at most {MOST_SIDE} pixels.")
    sampler, scheduler = (_unless_same(fields.text(name)) for name in ("hr_sampler_name", "hr_scheduler"))
    resolved, unheeded = resolve_sampler(sampler, scheduler) if sampler else ("", ())
    for name in unheeded:
        fields.ignore(f"hr_{name}")
    if scheduler and not sampler:
        fields.ignore("hr_scheduler")
    return first, Hires(
        target,
        fields.text("hr_prompt"),
        fields.text("hr_negative_prompt"),
        fields.integer("hr_second_pass_steps", 0, 0, 1000),
        resolved,
        _unless_same(fields.text("hr_checkpoint_name")),
    )


def scale_for(first: Extent, target: Extent) -> int | None:
    """How many times the bridge enlarges before it comes to a size; 1: not at all; None: it cannot."""
    factor = max(target.width / first.width, target.height / first.height)
    return next((scale for scale in (1, *SCALES) if factor <= scale), None)


def _target(fields: Fields, size: Extent) -> Extent:
    factor = fields.number("hr_scale", 2.0, 0.1, 64.0)
    across, down = fields.integer("hr_resize_x", 0, 0, MOST_SIDE), fields.integer("hr_resize_y", 0, 0, MOST_SIDE)
    if across == down == 0:
        across, down = int(size.width * factor), int(size.height * factor)
    elif 0 in (across, down):
        across, down = across or down * size.width // size.height, down or across * size.height // size.width
    return Extent(max(1, across), max(1, down))


def _unless_same(text: str) -> str:
    return "" if text in _SAME else text
