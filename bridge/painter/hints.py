"""Sentences that the artist should know beside the picture."""

import re
from collections.abc import Sequence

from ..canvas.model_size import model_size
from ..diffusion import LatentModel, Offload, Placement, within
from ..diffusion.shortcut import LEAST_FAST_STEPS
from ..errors import Sentence
from ..models import Card, Checkpoint, control_kind
from ..models.samplers import FEW_STEP_SAMPLERS
from .request import Condition, Request
from .tiled_denoise import TiledPlane

__all__ = [
    "about_enlarging",
    "about_infill",
    "about_known_names",
    "about_offloading",
    "about_placement",
    "about_precision",
    "about_reduced_size",
    "about_regions",
    "about_sampler",
    "about_unused_conditions",
    "what_would_fit",
]

_NAMES_SHOWN = 12
_MANY_STEPS = 20
_MUCH_GUIDANCE = 3
_MANY_REGIONS = 5


def about_known_names(card: Card, prompts: Sequence[str]) -> tuple[str, ...]:
    """A hint when one of the prompts names nothing that a small checkpoint knows."""
    if not card.known_names or all(_names_known(card, one) for one in prompts if one.strip()):
        return ()
    shown = ", ".join(card.known_names[:_NAMES_SHOWN])
    more = len(card.known_names) - _NAMES_SHOWN
    if more > 0:
        return (
            Sentence(
                "{name} knows {shown} and {more} other things; add a checkpoint for more.",
                name=card.name,
                shown=shown,
                more=more,
            ),
        )
    return (Sentence("{name} knows {shown}; add a checkpoint for more.", name=card.name, shown=shown),)


def _names_known(card: Card, prompt: str) -> bool:
    words = prompt.lower()
    return any(re.search(rf"\b{re.escape(name.lower())}(s|es)?\b", words) for name in card.known_names)


def about_regions(count: int) -> tuple[str, ...]:
    """A hint when so many regions count that each step takes much longer."""
    if count < _MANY_REGIONS:
        return ()
    return (
        Sentence(
            "{count} regions count here, and each makes every step longer. Select less at a time, or join some.",
            count=count,
        ),
    )


def about_infill(card: Card, request: Request, mode: str) -> tuple[str, ...]:
    """Hints for a fill without a prompt on a checkpoint that leaves those to the infill."""
    hints: list[str] = []
    if mode == "add":
        hints.append(
            Sentence(
                "Without a prompt {name} only closes the selection from its surroundings; name a thing to add.",
                name=card.name,
            )
        )
    if request.strength < 1:
        hints.append(
            Sentence("Without a prompt {name} does not denoise, so the strength had no effect.", name=card.name)
        )
    hints += _about_conditions(request)
    if len(request.seeds) > 1:
        hints.append(
            Sentence("Without a prompt {name} does not use the seed, so all pictures are the same.", name=card.name)
        )
    return tuple(hints)


def about_unused_conditions(conditions: Sequence[Condition], steps: int) -> tuple[str, ...]:
    """A hint for each condition that counts in none of so many steps."""
    return tuple(
        Sentence(
            "The {kind} had no effect: none of the {steps} steps lies within {start} to {end} of the "
            "denoising. Widen its range, or take more steps.",
            kind=control_kind(one.kind).title,
            steps=steps,
            start=f"{one.start:g}",
            end=f"{one.end:g}",
        )
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
    return (
        Sentence(
            "This is large: it was painted at {share} % of its size and enlarged. Select less at a time for detail.",
            share=share,
        ),
    )


def about_offloading(checkpoint: Checkpoint) -> str:
    """A hint when the checkpoint waits outside the device from now on."""
    return Sentence(
        "{name} and this picture do not fit into the device's memory together, so from now on parts "
        "of it wait outside. That takes longer; a smaller selection or checkpoint does not need it.",
        name=checkpoint.card.name,
    )


def about_placement(checkpoint: Checkpoint, placement: Placement) -> tuple[str, ...]:
    """A hint when a checkpoint is larger than the device's memory, once it is loaded so that it fits."""
    if not placement.planned or placement.offload is Offload.NOTHING:
        return ()
    if placement.offload is Offload.ALL_BUT_DENOISER:
        return (
            Sentence(
                "{name} does not fit into the device's memory as a whole, so what reads prompts waits outside until "
                "it is used. Only the first picture of a prompt takes a little longer.",
                name=checkpoint.card.name,
            ),
        )
    return (
        Sentence(
            "{name} is larger than the device's memory, so all of it waits outside and comes layer by layer in each "
            "step. That takes longer; a smaller checkpoint, or the same one in fp8, does not need it.",
            name=checkpoint.card.name,
        ),
    )


def about_precision(checkpoint: Checkpoint) -> str:
    """A hint when the checkpoint computes in float32 from now on."""
    return Sentence(
        "Half precision does not hold the numbers of {name}, so it is used in full precision from "
        "now on. That takes twice the memory, and longer.",
        name=checkpoint.card.name,
    )


def about_enlarging(card: Card, request: Request) -> tuple[str, ...]:
    """Hints for an upscale on a checkpoint that would make what is enlarged worse."""
    return (
        Sentence(
            "{name} is too small to repaint parts of a picture, so this was enlarged without it: as "
            "sharp as the original, with no new detail. Choose a larger checkpoint for that.",
            name=card.name,
        ),
        *_about_conditions(request),
    )


def about_fast(model: LatentModel, steps: int, guidance: float) -> tuple[str, ...]:
    """A hint when a fast job computes all that any other does."""
    if steps < LEAST_FAST_STEPS:
        return (
            Sentence(
                "Fast has no effect in fewer than {least} steps; this was painted in {steps}.",
                least=LEAST_FAST_STEPS,
                steps=steps,
            ),
        )
    if not model.inner_blocks and (guidance == 1 or model.guidance_embeds):
        return (
            Sentence(
                "Fast has no effect with {name}, which computes nothing in these steps that could be kept.",
                name=model.checkpoint.card.name,
            ),
        )
    return ()


def about_sampler(sampler: str, steps: int, guidance: float, distilled_lora: str = "") -> tuple[str, ...]:
    """A hint when a sampler for distilled checkpoints, or a LoRA that distils one, was given an ordinary one's numbers,
    which burn its pictures.
    """
    if steps <= _MANY_STEPS and guidance <= _MUCH_GUIDANCE:
        return ()
    if distilled_lora:
        return (
            Sentence(
                "The LoRA {distilled_lora} is made for 2 to 8 steps at guidance 1 to 2; this was painted "
                "with {steps} steps at guidance {guidance}.",
                distilled_lora=distilled_lora,
                steps=steps,
                guidance=f"{guidance:g}",
            ),
        )
    if sampler not in FEW_STEP_SAMPLERS:
        return ()
    return (
        Sentence(
            "{sampler} is made for 2 to 8 steps at guidance 1 to 2, with a checkpoint or LoRA distilled "
            "for it; this was painted with {steps} steps at guidance {guidance}.",
            sampler=sampler,
            steps=steps,
            guidance=f"{guidance:g}",
        ),
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
        return Sentence(
            "Select less: up to {width} x {height} px, surroundings included, the least memory is "
            "needed. Or close other programs, or choose a smaller checkpoint.",
            width=size.width,
            height=size.height,
        )
    return "Close other programs, or choose a smaller checkpoint."
