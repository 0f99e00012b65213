"""Sentences that the artist should know beside the picture."""

import re
from collections.abc import Sequence

from ..canvas.context import model_size
from ..diffusion import within
from ..models import Card, Checkpoint, control_kind
from ..models.samplers import FEW_STEP_SAMPLERS
from .request import Condition, Request
from .tiled_denoise import TiledPlane

__all__ = [
    "about_enlarging",
    "about_infill",
    "about_known_names",
    "about_offloading",
    "about_precision",
    "about_reduced_size",
    "about_sampler",
    "about_unused_conditions",
    "what_would_fit",
]

_NAMES_SHOWN = 12
_MANY_STEPS = 20
_MUCH_GUIDANCE = 3


def about_known_names(card: Card, prompt: str) -> tuple[str, ...]:
    """A hint when the prompt names nothing that a small checkpoint knows."""
    words = prompt.lower()
    if not card.known_names or not words.strip():
        return ()
    if any(re.search(rf"\b{re.escape(name.lower())}(s|es)?\b", words) for name in card.known_names):
        return ()
    shown = ", ".join(card.known_names[:_NAMES_SHOWN])
    more = len(card.known_names) - _NAMES_SHOWN
    if more > 0:
        return (f"{card.name} knows {shown} and {more} other things; add a checkpoint for more.",)
    return (f"{card.name} knows {shown}; add a checkpoint for more.",)


def about_infill(card: Card, request: Request, mode: str) -> tuple[str, ...]:
    """Hints for a fill without a prompt on a checkpoint that leaves those to the infill."""
    hints = []
    if mode == "add":
        hints.append(
            f"Without a prompt {card.name} only closes the selection from its surroundings; name a thing to add."
        )
    if request.strength < 1:
        hints.append(f"Without a prompt {card.name} does not denoise, so the strength had no effect.")
    hints += _about_conditions(request)
    if len(request.seeds) > 1:
        hints.append(f"Without a prompt {card.name} does not use the seed, so all pictures are the same.")
    return tuple(hints)


def about_unused_conditions(conditions: Sequence[Condition], steps: int) -> tuple[str, ...]:
    """A hint for each condition that counts in none of so many steps."""
    return tuple(
        f"The {control_kind(one.kind).title} had no effect: none of the {steps} steps lies within {one.start:g} to "
        f"{one.end:g} of the denoising. Widen its range, or take more steps."
        for one in conditions
        if one.strength > 0 and not any(within(one.start, one.end, step, steps) for step in range(steps))
    )


def _about_conditions(request: Request) -> tuple[str, ...]:
    """A hint where nothing is denoised, so that nothing could be guided."""
    return ("Nothing was denoised, so the conditions had no effect.",) if request.conditions else ()


def about_reduced_size(plane: TiledPlane) -> tuple[str, ...]:
    """A hint when a selection is too large to be painted at the canvas's density in reasonable time."""
    if not plane.capped:
        return ()
    share = round(100 * plane.size.width / plane.window.width)
    return (f"This is large: it was painted at {share} % of its size and enlarged. Select less at a time for detail.",)


def about_offloading(checkpoint: Checkpoint) -> str:
    """A hint when the checkpoint waits outside the device from now on."""
    return (
        f"{checkpoint.card.name} and this picture do not fit into the device's memory together, so from now on parts "
        "of it wait outside. That takes longer; a smaller selection or checkpoint does not need it."
    )


def about_precision(checkpoint: Checkpoint) -> str:
    """A hint when the checkpoint computes in float32 from now on."""
    return (
        f"Half precision does not hold the numbers of {checkpoint.card.name}, so it is used in full precision from now "
        "on. That takes twice the memory, and longer."
    )


def about_enlarging(card: Card, request: Request) -> tuple[str, ...]:
    """Hints for an upscale on a checkpoint that would make what is enlarged worse."""
    return (
        f"{card.name} is too small to repaint parts of a picture, so this was enlarged without it: as sharp as the "
        "original, with no new detail. Choose a larger checkpoint for that.",
        *_about_conditions(request),
    )


def about_sampler(sampler: str, steps: int, guidance: float, distilled_lora: str = "") -> tuple[str, ...]:
    """A hint when a sampler for distilled checkpoints, or a LoRA that distils one, was given an ordinary one's numbers,
    which burn its pictures.
    """
    if steps <= _MANY_STEPS and guidance <= _MUCH_GUIDANCE:
        return ()
    if distilled_lora:
        return (
            f"The LoRA {distilled_lora} is made for 2 to 8 steps at guidance 1 to 2; "
            f"this was painted with {steps} steps at guidance {guidance:g}.",
        )
    if sampler not in FEW_STEP_SAMPLERS:
        return ()
    return (
        f"{sampler} is made for 2 to 8 steps at guidance 1 to 2, with a checkpoint or LoRA distilled for it; "
        f"this was painted with {steps} steps at guidance {guidance:g}.",
    )


def what_would_fit(request: Request, checkpoint: Checkpoint) -> str:
    """What to do where memory did not suffice: the first of what needs less of it."""
    if len(request.seeds) > 1:
        return "Paint one picture at a time."
    native = checkpoint.card.native_pixels
    if request.settings.kind == "upscale":
        return "Enlarge fewer times, or a smaller part at a time; or close other programs."
    if request.context.area > native:
        size = model_size(request.context.size, native_pixels=native, multiple=checkpoint.family.multiple)
        return (
            f"Select less: up to {size.width} x {size.height} px, surroundings included, the least memory is needed. "
            "Or close other programs, or choose a smaller checkpoint."
        )
    return "Close other programs, or choose a smaller checkpoint."
